/** What keeps a mail from being delivered, shown or trusted, as far as the mail itself tells. */

import type { Message } from '../../core/email.ts';

export type Hint = { kind: 'bad' | 'warning'; title: string; detail: string };

/** Gmail cuts a message here ("[Message clipped]"), and its end with the unsubscribe link is gone. */
const clippedBytes = 102 * 1024;
/** More than a phone on a slow line shows at once. */
const hugeImageBytes = 1024 * 1024;
/** Most relays refuse mails beyond this, Base64 included. */
const mailBytesMax = 20 * 1024 * 1024;
/** About what a phone shows of a subject. */
const subjectCharsMax = 78;
/** Bounds what is looked at; nobody reads the 51st link in a list of problems. */
const tagsMax = 2_000;
/** Of any kind: a mail of 40 MB may be nothing but tags. */
const tagsReadMax = 50_000;

type Judged = Pick<Message, 'subject' | 'html' | 'text' | 'attachments' | 'to' | 'cc' | 'bcc'>;

export function hintsAt(mail: Judged): Hint[] {
  const html = mail.html ?? '';
  const { links, images } = readTags(html);
  return [...subjectHints(mail), ...bodyHints(mail, html), ...linkHints(links), ...imageHints(mail, html, images)];
}

/**
 * Links and images in their order. Each character is read once, whatever stands there: a pattern for a whole tag reads to the
 * end of the mail at each tag that is not closed.
 */
function readTags(html: string): { links: string[]; images: string[] } {
  const [links, images]: [string[], string[]] = [[], []];
  let end = -1;
  for (let read = 0; read < tagsReadMax; read++) {
    const start = html.indexOf('<', end + 1);
    end = start < 0 ? -1 : html.indexOf('>', start);
    if (end < 0) break;
    const name = html.slice(start, start + 5);
    if (/^<a\s/i.test(name) && links.length < tagsMax) links.push(html.slice(start, end + 1));
    if (/^<img(?!\w)/i.test(name) && images.length < tagsMax) images.push(html.slice(start, end + 1));
  }
  return { links, images };
}

function subjectHints({ subject }: Judged): Hint[] {
  const hints: Hint[] = [];
  if (subject.trim() === '') hints.push(bad('No subject', 'Spam filters distrust mail without one.'));
  if (subject.length > subjectCharsMax) {
    hints.push(warning('A long subject', `It has ${subject.length} characters; phones show about ${subjectCharsMax}.`));
  }
  if (/\p{Lu}/u.test(subject) && subject === subject.toUpperCase() && subject.length > 8) {
    hints.push(warning('A subject in capitals', 'Spam filters count it against you.'));
  }
  return hints;
}

function bodyHints({ html: given, text, subject, attachments }: Judged, html: string): Hint[] {
  const hints: Hint[] = [];
  if (text === '')
    hints.push(
      bad('No text part', 'The request turned it off. Spam filters expect one, and some people read only text.'),
    );
  if (given === null) hints.push(warning('No HTML part', 'Fine for a short notice; links are shown in full.'));
  const size = Buffer.byteLength(html);
  if (size > clippedBytes)
    hints.push(bad('Gmail will clip it', `The HTML is ${kilobytes(size)}; Gmail hides everything after 102 kB.`));
  const unfilled = /\{\{[^{}]{1,80}\}\}|%recipient\.[\w]{1,40}%/.exec(`${subject} ${html} ${text ?? ''}`);
  if (unfilled) hints.push(bad('An unfilled placeholder', `Recipients will read ${unfilled[0]}.`));
  const files = attachments.reduce((total, file) => total + Math.ceil(file.content.length / 3) * 4, 0);
  if (files > mailBytesMax)
    hints.push(bad('A very large mail', `${kilobytes(files)} of attachments; many servers refuse that.`));
  return hints;
}

function linkHints(links: string[]): Hint[] {
  const hints = new Map<string, Hint>();
  for (const tag of links) {
    const found = /href\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s>"']+))/i.exec(tag);
    if (!found) continue;
    const [, double, single, bare] = found;
    const href = (double ?? single ?? bare ?? '').trim();
    const hint = linkHint(href);
    if (hint) hints.set(`${hint.title} ${href}`, hint);
  }
  return [...hints.values()].slice(0, 10);
}

function linkHint(href: string): Hint | null {
  const shown = href.slice(0, 120);
  if (href === '' || href === '#') return bad('Empty link', 'The link has no address.');
  if (/^(mailto|tel|sms|cid):/i.test(href) || href.startsWith('#')) return null;
  if (!URL.canParse(href)) return bad('A broken link', `${shown} is not a complete URL: it does not work in an email.`);
  const { protocol, hostname } = new URL(href);
  if (protocol !== 'http:' && protocol !== 'https:') return bad('A link mail clients remove', shown);
  if (isPrivateHost(hostname)) return bad('A link only you can open', `${shown} points to this machine or network.`);
  if (protocol === 'http:') return warning('A link without TLS', `${shown}: use https.`);
  return null;
}

function isPrivateHost(host: string): boolean {
  return /^(localhost|127\.|10\.|192\.168\.|169\.254\.|\[::1\]|0\.0\.0\.0)|\.(local|internal|test)$/i.test(host);
}

function imageHints({ attachments }: Judged, html: string, images: string[]): Hint[] {
  const hints: Hint[] = [];
  const silent = images.filter((tag) => !/\balt\s*=/i.test(tag)).length;
  if (silent > 0) {
    hints.push(
      warning(
        'Missing alt text',
        `${silent} ${silent === 1 ? 'image has' : 'images have'} none; most clients block images by default.`,
      ),
    );
  }
  const embedded = images.filter((tag) => /src\s*=\s*["']?data:/i.test(tag));
  if (embedded.length > 0)
    hints.push(
      bad('Images embedded in the HTML', 'Gmail and Outlook do not show data: images. Attach them with a content_id.'),
    );
  for (const file of attachments) {
    if (file.contentType.startsWith('image/') && file.content.length > hugeImageBytes) {
      hints.push(warning('A huge image', `${file.filename} is ${kilobytes(file.content.length)}.`));
    }
  }
  const lost = findLostImage(html, new Set(attachments.map((file) => file.contentId)));
  if (lost) hints.push(bad('A missing image', `No attachment has the content_id of ${lost}.`));
  return hints;
}

function findLostImage(html: string, cids: ReadonlySet<string | null>): string | null {
  let read = 0;
  for (const [whole, id = ''] of html.matchAll(/\bcid:([^"'\s)>]{1,200})/gi)) {
    if (!cids.has(id)) return whole;
    read += 1;
    if (read === tagsMax) break;
  }
  return null;
}

function kilobytes(bytes: number): string {
  return `${Math.round(bytes / 1024).toLocaleString('en-US')} kB`;
}

function bad(title: string, detail: string): Hint {
  return { kind: 'bad', title, detail };
}

function warning(title: string, detail: string): Hint {
  return { kind: 'warning', title, detail };
}
