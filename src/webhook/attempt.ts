/** One attempt at an endpoint: a request through the egress, and what it came to. Never throws for what the outside does. */

import type { Egress } from '../egress/egress.ts';
import type { WebhookAttempt } from '../store/webhooks/deliveries.ts';
import type { WebhookRequest } from './request.ts';

/** What Svix gives an endpoint: enough for a cold start, and bounds what one that hangs can hold. */
export const attemptTimeoutMs = 15_000;

/** Of an answer only the beginning is kept, to be shown; the rest is not even read. */
const responseBytesMax = 1_024;

export type AttemptTerms = { now: () => number; signal?: AbortSignal };

export async function attemptWebhook(
  egress: Egress,
  request: WebhookRequest,
  terms: AttemptTerms,
): Promise<WebhookAttempt> {
  const at = terms.now();
  const started = performance.now();
  const outcome = await egress.request({
    method: 'POST',
    ...request,
    maxBytes: responseBytesMax,
    timeoutMs: attemptTimeoutMs,
    ...(terms.signal ? { signal: terms.signal } : {}),
  });
  const tookMs = Math.round(performance.now() - started);
  if (outcome.kind !== 'ok') return { at, tookMs, status: null, failure: outcome.kind, response: outcome.message };
  return { at, tookMs, status: outcome.status, failure: failureOf(outcome.status), response: readable(outcome.bytes) };
}

/** A redirect is not followed: it could lead anywhere, and its endpoint is mostly a mistake. */
function failureOf(status: number): 'redirected' | 'bad_status' | null {
  if (status >= 200 && status < 300) return null;
  return status >= 300 && status < 400 ? 'redirected' : 'bad_status';
}

/** PostgreSQL's text refuses NUL; a letter cut in half becomes U+FFFD. */
function readable(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('utf8').replaceAll('\0', '\ufffd');
}
