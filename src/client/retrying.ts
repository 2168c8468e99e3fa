/** Clients that try again by themselves: one key for all tries of one call, so that however many reach the server, one counts. */

import { isMembers } from './answer.ts';
import type { Classified } from './classify.ts';
import { type Ended, type RetryOptions, repeat, type Terms, termsOf } from './repeat.ts';
import { retryingFetch } from './retrying-fetch.ts';

/** Resend's keys live for 24 h: what is tried last must be sure to meet a living one. */
const resendKeyMs = 23 * 60 * 60_000;
/** Brevo's live for 30 minutes by its documentation, and for 15 by its change log. */
const brevoKeyMs = 14 * 60_000;

/** Tells the server which try it is; Sendonce shows it in the key's history. */
export const attemptHeader = 'Sendonce-Attempt';

/**
 * @param client a `Resend`, a `BrevoClient`, a `TransactionalEmailsApi` of Brevo's former SDKs, or `fetch`. What it sends through
 * the returned one is tried again until it is accepted, refused, in conflict, or out of time; its results and errors are the
 * client's own. A key that a call brings stays; others get one. Everything else the client can do is left as it is.
 * @throws TypeError for anything else.
 */
export function retrying<Client extends object>(client: Client, options: RetryOptions = {}): Client {
  const made = make(client as Members, options);
  if (made) return made as Client;
  throw new TypeError('retrying() takes a Resend or Brevo client, or fetch.');
}

type Members = Record<string, unknown>;
type Method = (...args: unknown[]) => Promise<unknown>;

function make(client: Members, options: RetryOptions): unknown {
  if (typeof client === 'function') return retryingFetch(client as typeof fetch, termsOf(options, brevoKeyMs));
  if (isMembers(client.emails) && isMembers(client.batch)) return retryingResend(client, termsOf(options, resendKeyMs));
  const terms = termsOf(options, brevoKeyMs);
  if (typeof client.sendTransacEmail === 'function') return retryingBrevoEmails(client, terms);
  if (!isMembers(client.transactionalEmails)) return null;
  return shadow(client, { transactionalEmails: retryingBrevoEmails(client.transactionalEmails as Members, terms) });
}

function retryingResend(client: Members, terms: Terms): Members {
  const sending = (part: Members) =>
    shadow(part, {
      send: sendByResend(client, part, 'send', terms),
      create: sendByResend(client, part, 'create', terms),
    });
  return shadow(client, { emails: sending(client.emails as Members), batch: sending(client.batch as Members) });
}

function sendByResend(client: Members, part: Members, name: string, terms: Terms): Method {
  const method = methodOf(part, name);
  return async (payload, options) => {
    const given = isMembers(options) ? options : {};
    const key = given.idempotencyKey ?? new Headers(given.headers as Record<string, string>).get('idempotency-key');
    const idempotencyKey = key || terms.createKey();
    const send = (attempt: number, signal: AbortSignal) => {
      const headers = headersWith(client.headers, given.headers, attempt);
      return method(payload, { ...given, idempotencyKey, headers, signal });
    };
    return unwrap((await repeat(send, terms, signalOf(given.signal, terms))).ended);
  };
}

/** All of them: SDKs before 6.22 take what they are given instead of their own, the key and the login included. */
function headersWith(own: unknown, given: unknown, attempt: number): Record<string, string> {
  const headers = new Headers(own as Record<string, string> | undefined);
  new Headers(given as Record<string, string> | undefined).forEach((value, name) => {
    headers.set(name, value);
  });
  headers.set(attemptHeader, String(attempt));
  return Object.fromEntries(headers);
}

function retryingBrevoEmails(api: Members, terms: Terms): Members {
  const method = methodOf(api, 'sendTransacEmail');
  const sendTransacEmail: Method = async (request, options) => {
    const given = isMembers(options) ? options : {};
    const body = withBrevoKey(isMembers(request) ? request : {}, terms);
    const send = (attempt: number, abortSignal: AbortSignal) => {
      const headers = { ...(isMembers(given.headers) ? given.headers : {}), [attemptHeader]: String(attempt) };
      return method(body, { ...given, headers, maxRetries: 0, abortSignal });
    };
    const { ended, classified } = await repeat(send, terms, signalOf(given.abortSignal, terms));
    if ('error' in ended && classified.outcome === 'accepted') return duplicateOf(ended.error, classified);
    return unwrap(ended);
  };
  return shadow(api, { sendTransacEmail });
}

/** `headers.idempotencyKey`, the one place of it that Brevo reads. */
function withBrevoKey(request: Members, { createKey }: Pick<Terms, 'createKey'>): Members {
  const headers = isMembers(request.headers) ? request.headers : {};
  return { ...request, headers: { ...headers, idempotencyKey: headers.idempotencyKey || createKey() } };
}

/** Brevo refuses what it has accepted before: as its SDK would have shown the first answer. Sendonce names the first ids. */
function duplicateOf(error: unknown, { ids = [] }: Classified): unknown {
  const body = ids.length > 1 ? { messageIds: ids } : { messageId: ids[0] };
  const response = isMembers(error) ? error.response : undefined;
  return response === undefined ? body : { response, body };
}

function signalOf(given: unknown, terms: Terms): AbortSignal | null {
  return given instanceof AbortSignal ? given : terms.signal;
}

function unwrap<T>(ended: Ended<T>): T {
  if ('error' in ended) throw ended.error;
  return ended.value;
}

function methodOf(target: Members, name: string): Method {
  const method = target[name];
  if (typeof method !== 'function') throw new TypeError(`The client has no ${name}().`);
  return method.bind(target) as Method;
}

/** The target with some members in the place of its own; its methods see the target itself, private fields and all. */
function shadow(target: Members, instead: Members): Members {
  return new Proxy(target, {
    get(of, name) {
      if (typeof name === 'string' && Object.hasOwn(instead, name)) return instead[name];
      const value = Reflect.get(of, name, of);
      return typeof value === 'function' ? value.bind(of) : value;
    },
  });
}
