/** The texts of a mail that came here, with the pictures that stand in its html put into it, as Resend's API shows them. */

import { contentOf } from '../core/mail-content.ts';
import { type MailPart, partsOf } from '../core/mail-parts.ts';
import { readMail } from './read-mail.ts';

/** `pictures`: as `data:` URIs within the html, or as the `cid:` URLs that stand there. */
export type ReceivedToRead = { mail: Uint8Array; pictures: 'data_uri' | 'cid' };
export type ReceivedTexts = { html: string | null; text: string | null };

export const noTexts: ReceivedTexts = { html: null, text: null };

/** Of all pictures in one html; a picture may be named often. Those beyond stay `cid:` URLs. */
const picturesCharsMax = 2 * 1024 * 1024;

export function readReceivedTexts({ mail, pictures }: ReceivedToRead): ReceivedTexts {
  const { html, text } = readMail(mail);
  if (html === null || pictures === 'cid') return { html, text };
  return { html: withPictures(html, Buffer.from(mail.buffer, mail.byteOffset, mail.length)), text };
}

function withPictures(html: string, mail: Buffer): string {
  const parts = new Map(partsOf(mail).flatMap((part) => (isPicture(part) ? [[part.contentId, part] as const] : [])));
  if (parts.size === 0) return html;
  const written = new Map<string, string>();
  let left = picturesCharsMax;
  return html.replace(/\bcid:([^"'\s<>)]{1,998})/gi, (whole, name: string) => {
    const part = parts.get(name) ?? parts.get(unescaped(name));
    // Its Base64 is a third longer at most than what its part has.
    if (!part || (part.end - part.start) * 1.4 + 100 > left) return whole;
    const uri = written.get(part.contentId) ?? dataUri(mail, part);
    written.set(part.contentId, uri);
    left -= uri.length;
    return uri;
  });
}

function isPicture({ type, contentId }: MailPart): boolean {
  return contentId !== '' && /^image\/[\w.+-]{1,100}$/.test(type);
}

function dataUri(mail: Buffer, part: MailPart): string {
  return `data:${part.type};base64,${contentOf(mail, part).toString('base64')}`;
}

function unescaped(name: string): string {
  try {
    return decodeURIComponent(name);
  } catch {
    return name;
  }
}
