/** What an answer to a request to send means, of Sendonce, of Resend and of Brevo: whether to ask again, and how. */

import { type Answer, isMembers, readAnswer } from './answer.ts';

/**
 * - `accepted`: it is sent, or will be. Do not ask again.
 * - `refused`: nothing was accepted, and nothing will be, until what is asked for is changed.
 * - `retry`: nothing was accepted; ask again, later, under the same key.
 * - `unknown`: it may have been accepted. Ask again under the same key, and never without one.
 * - `conflict`: the key was used for something else.
 */
export type Outcome = 'accepted' | 'refused' | 'retry' | 'unknown' | 'conflict';

export type Classified = {
  outcome: Outcome;
  /** How long the server wants to be left alone. Milliseconds. */
  retryAfterMs?: number;
  /** What was accepted is called so: email ids of Resend's, Message-IDs of Brevo's. Missing where the answer does not say. */
  ids?: string[];
};

/**
 * @param result what an official SDK for Node has returned or thrown, what `fetch` has, or the body of one of Resend's refusals.
 * Anything else is `unknown`. A Response's body is left unread.
 */
export async function classify(result: unknown): Promise<Classified> {
  const answer = await readAnswer(result);
  const outcome = outcomeOf(answer);
  const retryAfterMs = outcome === 'retry' || outcome === 'unknown' ? retryAfterMsOf(answer) : null;
  const ids = outcome === 'accepted' ? idsOf(answer.body) : [];
  return { outcome, ...(retryAfterMs === null ? {} : { retryAfterMs }), ...(ids.length === 0 ? {} : { ids }) };
}

function outcomeOf({ status, body, isUnsent }: Answer): Outcome {
  if (isUnsent) return 'refused';
  if (status === null || status < 200) return 'unknown';
  if (status < 300) return 'accepted';
  const { name, code, message } = isMembers(body) ? body : {};
  if (status === 409) return conflicts.get(name) ?? 'unknown';
  if (status === 429 || status === 425) return 'retry';
  if (status === 408 || status >= 500) return 'unknown';
  if (code === 'duplicate_parameter' && String(message).includes('idempotency key')) return 'accepted';
  // Brevo lists it, and nobody has seen it for an email: that it is one already accepted would be a guess.
  if (code === 'duplicate_request') return 'unknown';
  return 'refused';
}

/** Resend's names of a 409. https://resend.com/docs/api-reference/errors */
const conflicts: ReadonlyMap<unknown, Outcome> = new Map([
  ['invalid_idempotent_request', 'conflict'],
  ['concurrent_idempotent_requests', 'retry'],
  ['resource_locked', 'retry'],
]);

/** RFC 9110 §10.2.3, or the seconds that are left of a limit's window, as Resend and Brevo name them. */
function retryAfterMsOf({ status, header }: Answer): number | null {
  const after = header('retry-after');
  if (after !== null) return secondsMs(after) ?? untilMs(after);
  if (status !== 429) return null;
  return secondsMs(header('ratelimit-reset')) ?? secondsMs(header('x-sib-ratelimit-reset'));
}

function secondsMs(text: string | null): number | null {
  return text !== null && /^\d+(\.\d+)?$/.test(text.trim()) ? Math.ceil(Number(text) * 1_000) : null;
}

function untilMs(date: string): number | null {
  const at = Date.parse(date);
  return Number.isNaN(at) ? null : Math.max(0, at - Date.now());
}

/** Of one email, of a batch, and of either at Brevo's side, which Sendonce names in its refusal of a key's second use, too. */
function idsOf(body: unknown): string[] {
  if (!isMembers(body)) return [];
  const { id, data, messageId, messageIds } = body;
  const batch = Array.isArray(data) ? data.map((one) => (isMembers(one) ? one.id : null)) : [];
  const several = Array.isArray(messageIds) ? messageIds : [messageId];
  return [id, ...batch, ...several].filter((one): one is string => typeof one === 'string');
}
