/** Resend's API, and Sendonce's own (docs/resend.md), as upstreams: `POST /emails` under an `Idempotency-Key`. */

import type { Email } from '../../core/email.ts';
import type { Answered, Mail, Meaning, Said, Service } from './service.ts';
import { base64, compact, headersOf, recipientsOf, tagsOf, textOf } from './words.ts';

const hourMs = 60 * 60_000;

/** A key lives for 24 hours from its request: half an hour less, whatever its clock shows. */
const repeatsForMs = 24 * hourMs - hourMs / 2;

export const resend: Service = { say, read, repeatsForMs, repeatsAfterMs: 0, looksUpFirst: false };

/** Its key is looked up before the request is validated. */
export const sendonce: Service = { ...resend, looksUpFirst: true };

function say({ email, recipients, key }: Mail, apiKey: string): Said {
  const headers = headersOf(email);
  if (!headers) return { unspeakable: 'It has a header field twice, which its API has no words for.' };
  return {
    request: {
      path: '/emails',
      headers: { authorization: `Bearer ${apiKey}`, 'idempotency-key': key },
      body: JSON.stringify(bodyOf(email, recipients, headers)),
    },
  };
}

function bodyOf(email: Email, recipients: readonly string[], headers: Record<string, string>) {
  const { from, subject, html, replyTo, attachments } = email;
  return compact({
    from,
    ...recipientsOf(email, recipients),
    reply_to: replyTo,
    subject,
    html,
    text: textOf(email),
    headers,
    tags: tagsOf(email),
    attachments: attachments.map(({ filename, contentType, contentId, content }) =>
      compact({ filename, content_type: contentType, content_id: contentId, content: base64(content) }),
    ),
  });
}

function read({ status, json }: Answered): Meaning {
  const { name, id } = json;
  if (status >= 200 && status < 300) return { means: 'taken', id: typeof id === 'string' ? id : null };
  if (status === 409) return { means: name === 'invalid_idempotent_request' ? 'other' : 'unclear' };
  if (status === 403) return { means: isAboutSender(json) ? 'sender' : 'account' };
  if (status === 401 || status === 404 || status === 405) return { means: 'account' };
  if (status === 400 || status === 413 || status === 422) return { means: 'refused' };
  if (status === 429) return { means: 'later' };
  // 408 and 5xx may come from whatever stands between.
  return { means: 'unclear' };
}

/** "The … domain is not verified", and what may only be sent to its own address before one is. */
function isAboutSender({ name, message }: Answered['json']): boolean {
  return (
    name === 'domain_not_allowed' || (name === 'validation_error' && /domain|testing emails/i.test(String(message)))
  );
}
