/** Our email in parts that any HTTP API has a field for; the rest of what it carries is found here, or said to be unspeakable. */

import { envelopeAddress } from '../../core/address.ts';
import type { Email } from '../../core/email.ts';
import { bufferOf } from '../../core/pieces.ts';
import type { EmailToCompose } from '../../store/mail/email-to-compose.ts';

/** Its texts as texts. */
export function worded({ html, text, madeText, ...email }: EmailToCompose): Email {
  return { ...email, html: textIn(html), text: textIn(text), madeText: textIn(madeText) };
}

function textIn(bytes: Uint8Array | null): string | null {
  return bytes && bufferOf(bytes).toString('utf8');
}

export type Written = { to: string[]; cc: string[]; bcc: string[] };

/**
 * Those of the author's recipients that this delivery is for. Where none is left in `to`, the first of the others stands there: a
 * service wants one.
 */
export function recipientsOf(email: Email, recipients: readonly string[]): Written {
  const wanted = new Set(recipients);
  const isOf = (text: string) => wanted.has(envelopeAddress(text));
  const [to, cc, bcc] = [email.to.filter(isOf), email.cc.filter(isOf), email.bcc.filter(isOf)];
  if (to.length > 0) return { to, cc, bcc };
  const [first, ...others] = cc;
  return first === undefined ? { to: bcc, cc: [], bcc: [] } : { to: [first], cc: others, bcc };
}

/** Null where a field name comes twice: an object has one of each. */
export function headersOf({ headers }: Email): Record<string, string> | null {
  const names = new Set(headers.map(([name]) => name.toLowerCase()));
  if (names.size < headers.length) return null;
  return Object.fromEntries(headers.filter(([name]) => !ownNames.test(name)));
}

/** What is said to us alone. */
const ownNames = /^sendonce-/i;

export function textOf({ text, madeText }: Email): string | null {
  return text ?? madeText;
}

/** Names and values that every service takes. */
const tagPattern = /^[A-Za-z0-9_-]{1,256}$/;

export function tagsOf({ tags }: Email): { name: string; value: string }[] {
  return tags.filter(({ name, value }) => !ownNames.test(name) && tagPattern.test(name) && tagPattern.test(value));
}

export function base64(bytes: Uint8Array): string {
  return bufferOf(bytes).toString('base64');
}

/** Members that are null or empty are left out. */
export function compact(object: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== null && !isEmpty(value)));
}

function isEmpty(value: unknown): boolean {
  if (Array.isArray(value)) return value.length === 0;
  return typeof value === 'object' && value !== null && Object.keys(value).length === 0;
}
