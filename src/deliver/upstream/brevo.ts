/** Brevo's API as an upstream: `POST /v3/smtp/email`, its key inside the body's `headers`. */

import { hash } from 'node:crypto';
import { parseMailbox } from '../../core/address.ts';
import type { Email } from '../../core/email.ts';
import type { Answered, Mail, Meaning, Said, Service } from './service.ts';
import { base64, compact, headersOf, recipientsOf, tagsOf, textOf } from './words.ts';

/** Its documentation gives 30 minutes in one place and 15 in another: nothing is repeated after 14. */
const repeatsForMs = 14 * 60_000;

/** What it does with a key whose request is still under way is not known: our own waits for half a minute, and some more. */
const repeatsAfterMs = 40_000;

export const brevo: Service = { say, read, repeatsForMs, repeatsAfterMs, looksUpFirst: false };

function say({ email, recipients, key }: Mail, apiKey: string): Said {
  const headers = headersOf(email);
  if (!headers) return { unspeakable: 'It has a header field twice, which its API has no words for.' };
  if (email.attachments.some(({ contentId }) => contentId !== null)) {
    return { unspeakable: 'It shows a picture of its own inside the text, which its API has no words for.' };
  }
  if (email.replyTo.length > 1) return { unspeakable: 'It has several reply-to addresses; its API takes one.' };
  const body = bodyOf(email, recipients, { ...headers, idempotencyKey: uuidOf(key) });
  return {
    request: { path: '/v3/smtp/email', headers: { 'api-key': apiKey }, body: JSON.stringify(body) },
  };
}

function bodyOf(email: Email, recipients: readonly string[], headers: Record<string, string>) {
  const { to, cc, bcc } = recipientsOf(email, recipients);
  const [replyTo] = email.replyTo;
  return compact({
    sender: mailbox(email.from),
    to: to.map(mailbox),
    cc: cc.map(mailbox),
    bcc: bcc.map(mailbox),
    replyTo: replyTo === undefined ? null : mailbox(replyTo),
    subject: email.subject,
    htmlContent: email.html,
    textContent: textOf(email) || null,
    headers,
    tags: tagsOf(email).map(({ value }) => value),
    attachment: email.attachments.map(({ filename, content }) => ({ name: filename, content: base64(content) })),
  });
}

function mailbox(text: string): { email: string; name?: string } {
  const { name, address } = parseMailbox(text) ?? { name: '', address: text };
  return { email: address, ...(name === '' ? {} : { name }) };
}

/** Its documentation wants a UUID: one of version 8 (RFC 9562), made of the key. */
function uuidOf(key: string): string {
  const hex = hash('sha256', key, 'hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}

function read({ status, json }: Answered): Meaning {
  const { code, message, messageId } = json;
  if (status >= 200 && status < 300) return { means: 'taken', id: typeof messageId === 'string' ? messageId : null };
  if (status === 400 && code === 'duplicate_parameter' && /idempotency/i.test(String(message))) {
    return { means: 'taken', id: firstIdOf(json) };
  }
  if (status === 402 || code === 'not_enough_credits') return { means: 'account' };
  if (status === 401 || status === 403 || status === 404 || status === 405) return { means: 'account' };
  if (status === 400 || status === 413 || status === 422) return { means: isAboutSender(json) ? 'sender' : 'refused' };
  if (status === 429) return { means: 'later' };
  return { means: 'unclear' };
}

/** Another Sendonce adds the ids of the first answer; Brevo itself does not. */
function firstIdOf({ messageId, messageIds }: Answered['json']): string | null {
  if (typeof messageId === 'string') return messageId;
  return Array.isArray(messageIds) && typeof messageIds[0] === 'string' ? messageIds[0] : null;
}

function isAboutSender({ message }: Answered['json']): boolean {
  return /sender/i.test(String(message)) && /not valid|valid sender/i.test(String(message));
}
