/** `fetch` that tries again what may be tried again: what reads, and what carries a key. */

import { isMembers } from './answer.ts';
import type { Classified } from './classify.ts';
import { repeat, type Terms } from './repeat.ts';

type Fetch = typeof fetch;
type Init = RequestInit | undefined;

/** What is sent under a key, and the key itself, is the same on each try; a POST without a key goes out once. */
export function retryingFetch(once: Fetch, terms: Terms): Fetch {
  return async (input, init) => {
    const request = input instanceof Request ? input : null;
    const method = (init?.method ?? request?.method ?? 'GET').toUpperCase();
    const url = urlOf(request?.url ?? String(input));
    const keyed = await keyedInit(request, init, { method, path: url.pathname }, terms);
    if (!keyed) return once(input, init);
    const tryOnce = async (attempt: number, signal: AbortSignal) => {
      const headers = new Headers(keyed.headers);
      headers.set('Sendonce-Attempt', String(attempt));
      const response = await once(url, { ...keyed, headers, signal });
      return method === 'POST' ? whole(response) : response;
    };
    const { ended, classified } = await repeat(tryOnce, terms, init?.signal ?? request?.signal ?? terms.signal);
    if ('error' in ended) throw ended.error;
    const isDuplicate = classified.outcome === 'accepted' && !ended.value.ok;
    return isDuplicate ? firstAnswer(classified) : ended.value;
  };
}

/** A page's own addresses may leave its host out. */
function urlOf(text: string): URL {
  const { location } = globalThis as { location?: { href: string } };
  return new URL(text, location?.href);
}

/** An answer that is cut off within its body is none: it is asked for again, which the key makes safe. */
async function whole(response: Response): Promise<Response> {
  const { status, statusText, headers } = response;
  const body = await response.arrayBuffer();
  return new Response(body.byteLength === 0 ? null : body, { status, statusText, headers });
}

/** What Brevo would have answered first, as far as its refusal of the second use tells. */
function firstAnswer({ ids = [] }: Classified): Response {
  const body = ids.length > 1 ? { messageIds: ids } : { messageId: ids[0] };
  return new Response(JSON.stringify(body), { status: 201, headers: { 'content-type': 'application/json' } });
}

type Target = { method: string; path: string };

/** Null: it must not be tried again. */
async function keyedInit(
  request: Request | null,
  init: Init,
  target: Target,
  terms: Terms,
): Promise<RequestInit | null> {
  const headers = new Headers(init?.headers ?? request?.headers);
  const whole = { ...init, method: target.method, headers };
  if (target.method === 'GET' || target.method === 'HEAD') return whole;
  if (target.method !== 'POST') return headers.has('idempotency-key') ? withBody(whole, request) : null;
  const repeated = await withBody(whole, request);
  if (!repeated) return null;
  if (target.path.endsWith('/smtp/email')) return withBrevoKey(repeated, terms);
  const isSend = /\/emails(?:\/batch)?$/.test(target.path);
  if (isSend && !headers.has('idempotency-key')) headers.set('Idempotency-Key', terms.createKey());
  return headers.has('idempotency-key') ? repeated : null;
}

/** A stream can be read once: what comes as one is read here, or, where `fetch` is given it by itself, goes out once. */
async function withBody(init: RequestInit, request: Request | null): Promise<RequestInit | null> {
  if (init.body === undefined && request) return { ...init, body: await request.clone().text() };
  return init.body instanceof ReadableStream ? null : init;
}

/** Brevo reads its key from the body alone. */
function withBrevoKey(init: RequestInit, terms: Terms): RequestInit | null {
  const body = parsed(init.body);
  if (!body) return null;
  const given = isMembers(body.headers) ? body.headers : {};
  const headers = { ...given, idempotencyKey: given.idempotencyKey || terms.createKey() };
  return { ...init, body: JSON.stringify({ ...body, headers }) };
}

function parsed(body: unknown): Record<string, unknown> | null {
  try {
    const value: unknown = typeof body === 'string' ? JSON.parse(body) : null;
    return isMembers(value) ? value : null;
  } catch {
    return null;
  }
}
