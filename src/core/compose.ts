/** Turns a stored email into the bytes that leave (RFC 5322, MIME); a pure function, so that every attempt sends the same. */

import assert from 'node:assert/strict';
import { parseMailbox } from './address.ts';
import type { DkimSigner } from './dkim.ts';
import { hashBody } from './dkim-body.ts';
import type { Email } from './email.ts';
import { field, hasShortWords, mailboxesField, printable, textField } from './header-field.ts';
import { type Content, contentPart } from './mime.ts';
import { Gatherer, type Pieces, sizeOf } from './pieces.ts';
import { plainOf } from './plain.ts';
import { type Composed, composeRaw, dateField, hashOf, sentAtMs } from './raw-mail.ts';

/** An email, or one whose texts are still in UTF-8, as they are stored. */
export type Composable = Omit<Email, keyof Content> & Content;

/** `plain`, where it was asked for: other header fields to the same content, for relays that take no address beyond ASCII. */
export type Made = { whole: Composed; plain: Composed | null };

/** What only we say, or what must not leave at all: an author's field of such a name is dropped. */
const reservedName =
  /^(?:from|to|cc|bcc|resent-bcc|subject|date|message-id|mime-version|content-.*|return-path|dkim-signature|sendonce-.*|(?:x-)?idempotency-?key)$/i;
/** A copy costs less than a second piece, up to here. */
const copiedBytesMax = 32 * 1024;
/** RFC 5322 3.6.8. */
const fieldName = /^[!-9;-~]{1,200}$/;

/**
 * The bytes of an email: CRLF line ends, lines of at most 998 octets, ASCII throughout unless an address is not (then
 * the headers are UTF-8 and SMTPUTF8 is needed). Nothing an author wrote is parsed for it. Two calls with one email yield the same bytes, in every process.
 * A control character an author smuggled into a header becomes a space. Throws only on an email that was never valid.
 */
export function compose(email: Composable, signer: DkimSigner | null, alsoPlain = false): Made {
  if (email.raw) {
    const whole = composeRaw(email, email.raw, signer);
    // As it was written is the only way it leaves: what a relay cannot take of it is for that relay to say.
    return { whole, plain: alsoPlain ? whole : null };
  }
  const content = contentOf(email);
  return {
    whole: withHeaders(email, content, signer),
    plain: alsoPlain ? withHeaders(plainOf(email), content, signer) : null,
  };
}

type EncodedContent = { fields: string; body: Pieces };

function contentOf(email: Composable): EncodedContent {
  assert(/^[\w.-]{1,50}$/.test(email.id), 'the id of an email is short and fit for a MIME boundary');
  const { fields, body } = contentPart(email);
  const gatherer = new Gatherer(aboutBytes(email));
  for (const piece of body) gatherer.add(piece);
  if (!gatherer.isAtLineStart) gatherer.add(Buffer.from('\r\n'));
  return { fields, body: gatherer.finish() };
}

/** Base64 with its line ends is 1.37 times a file; texts hardly grow, unless they are written in another script. */
function aboutBytes({ html, text, madeText, attachments }: Composable): number {
  const texts = [html, text, madeText].reduce((sum, one) => sum + (one?.length ?? 0), 0);
  const files = attachments.reduce((sum, { content }) => sum + content.length, 0);
  return Math.ceil(1.1 * texts + 1.38 * files) + 1024 * (1 + attachments.length);
}

function withHeaders(email: Composable, { fields, body }: EncodedContent, signer: DkimSigner | null): Composed {
  const headers = messageFields(email) + fields;
  const signature = signer === null ? '' : signer.sign(headers, hashBody(body), sentAtMs(email));
  const head = Buffer.from(`${signature}${headers}\r\n`);
  // One piece for most mails; larger ones are not copied once more.
  const isSmall = sizeOf(body) <= copiedBytesMax;
  const pieces = isSmall ? [Buffer.concat([head, ...body])] : [head, ...body];
  return { pieces, contentHash: hashOf(pieces) };
}

function messageFields(email: Composable): string {
  assert(/^<[!-~]{1,900}>$/.test(email.messageId), 'a Message-ID is made by us, printable and in angle brackets');
  return (
    mailboxesField('From', [email.from]) +
    (email.to.length > 0 ? mailboxesField('To', email.to) : 'To: undisclosed-recipients:;\r\n') +
    mailboxesField('Cc', email.cc) +
    mailboxesField('Reply-To', email.replyTo) +
    textField('Subject', email.subject) +
    `Message-ID: ${email.messageId}\r\n` +
    dateField(sentAtMs(email)) +
    authorFields(email) +
    'MIME-Version: 1.0\r\n'
  );
}

function authorFields(email: Composable): string {
  let fields = '';
  for (const [name, written] of email.headers) {
    if (!fieldName.test(name) || reservedName.test(name)) continue;
    if (email.replyTo.length > 0 && name.toLowerCase() === 'reply-to') continue;
    const value = written.trim();
    // An author may have encoded the words of a header already; a subject or name never is.
    const asWritten = printable.test(value) && hasShortWords(value);
    const isMailbox = /^(?:reply-to|sender)$/i.test(name) && parseMailbox(value) !== null;
    fields += isMailbox ? mailboxesField(name, [value]) : asWritten ? field(name, value) : textField(name, value);
  }
  return fields;
}
