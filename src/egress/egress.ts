/** Every request to an address somebody else chose goes through here: resolved once, private addresses refused, pinned, bounded. */

import { lookup } from 'node:dns/promises';
import type { IncomingHttpHeaders } from 'node:http';
import { isIP } from 'node:net';
import { createAddressPolicy } from './address.ts';
import { filenameOf } from './content-disposition.ts';
import { type ExchangeResponse, exchange } from './exchange.ts';
import { type EgressFailure, failureOf } from './failure.ts';

export type EgressOptions = {
  /** CIDRs or addresses that may be connected to although they are not public. Throws at creation on what is neither. */
  allow?: readonly string[];
  /** All addresses of a name; rejects or yields none where there are none. The system's resolver by default. */
  resolve?: (host: string) => Promise<string[]>;
  /** PEM certificates of authorities to trust instead of the built-in ones. */
  trust?: readonly string[];
};

/** `timeoutMs` is for everything together, from the name to the last byte. */
export type EgressLimits = { maxBytes: number; timeoutMs: number };

export type EgressRequest = EgressLimits & {
  method: string;
  url: string;
  /** Ours to choose, not the URL's author's; Node throws on names and values that are not header text. */
  headers?: Record<string, string>;
  body?: Uint8Array | string | null;
  /** Calls it off; it then counts as timed out. */
  signal?: AbortSignal;
};

/** Any status, redirects included; `truncated` where the body went beyond `maxBytes`, of which only as much was read. */
export type EgressResponse = {
  kind: 'ok';
  status: number;
  headers: IncomingHttpHeaders;
  bytes: Uint8Array;
  truncated: boolean;
};

export type FetchedBytes = { kind: 'ok'; bytes: Uint8Array; contentType: string | null; filename: string | null };

export type Egress = {
  /** The content behind a URL: a whole 200, or the reason why not. */
  fetchBytes(url: string, limits: EgressLimits): Promise<FetchedBytes | EgressFailure>;
  /** One request, one answer, never an exception for what the outside does. */
  request(request: EgressRequest): Promise<EgressResponse | EgressFailure>;
  /** Why no request to this URL will be made, where the URL alone tells; a name may still turn out to lead nowhere. */
  refusalOf(url: string): EgressFailure | null;
};

/** Presigned URLs carry their signature; 8 kB is where common servers stop. */
const urlLengthMax = 8_192;
/** A name with hundreds of addresses would be a way to make us knock at hundreds of doors. */
const addressesMax = 8;

export function createEgress(options: EgressOptions = {}): Egress {
  const allowed = createAddressPolicy(options.allow ?? []);
  const resolve = options.resolve ?? resolveBySystem;
  const trust = options.trust ?? null;

  async function request(wanted: EgressRequest): Promise<EgressResponse | EgressFailure> {
    const url = parseUrl(wanted.url);
    if (url === null) return invalidUrl(wanted.url);
    const deadline = startDeadline(wanted.timeoutMs, wanted.signal);
    try {
      const addresses = await Promise.race([addressesOf(url), deadline.passed]);
      if ('kind' in addresses) return addresses;
      const { method, headers = {}, body = null, maxBytes } = wanted;
      const exchanged = exchange({ method, url, headers, body, maxBytes }, addresses, trust, deadline.signal);
      const response = await Promise.race([exchanged, deadline.passed]);
      return { kind: 'ok', ...response };
    } catch (error) {
      // Node's word for a method or header that is none: our own mistake, not something the outside did.
      if (error instanceof TypeError) throw error;
      return deadline.signal.aborted ? timedOut(url, wanted.timeoutMs) : failureOf(error, url.host);
    } finally {
      deadline.stop();
    }
  }

  /**
   * Those that may be connected to. A name with public and private addresses is not refused: only the public ones are pinned,
   * so it gains nothing, while a stray AAAA record (ULA, NAT64) must not make an honest host unreachable.
   */
  async function addressesOf(url: URL): Promise<string[] | EgressFailure> {
    const host = hostOf(url);
    const found = isIP(host) === 0 ? await resolve(host).catch(() => []) : [host];
    if (found.length === 0) return { kind: 'unresolvable', message: `No address was found for ${host}.` };
    const usable = found.filter(allowed).slice(0, addressesMax);
    return usable.length > 0 ? usable : blocked(host);
  }

  async function fetchBytes(url: string, limits: EgressLimits): Promise<FetchedBytes | EgressFailure> {
    const response = await request({ method: 'GET', url, ...limits });
    if (response.kind !== 'ok') return response;
    return contentOf(response, new URL(url), limits.maxBytes);
  }

  function refusalOf(text: string): EgressFailure | null {
    const url = parseUrl(text);
    if (url === null) return invalidUrl(text);
    const host = hostOf(url);
    return isIP(host) !== 0 && !allowed(host) ? blocked(host) : null;
  }

  return { fetchBytes, request, refusalOf };
}

/** IPv6 without its brackets. The URL parser has made plain IPv4 of 0x7f.1, 2130706433 and the like. */
function hostOf(url: URL): string {
  return url.hostname.replace(/^\[|\]$/g, '');
}

function blocked(host: string): EgressFailure {
  return {
    kind: 'blocked_address',
    message: `${host} is not on the public internet; requests to it are not allowed here, unless EGRESS_ALLOW has its network.`,
  };
}

/** getaddrinfo rather than DNS alone: a container's or an office's own names are found as by every other program there. */
async function resolveBySystem(host: string): Promise<string[]> {
  const entries = await lookup(host, { all: true, verbatim: true });
  return entries.map((entry) => entry.address);
}

function parseUrl(text: string): URL | null {
  if (text.length > urlLengthMax || !URL.canParse(text)) return null;
  const url = new URL(text);
  const web = url.protocol === 'http:' || url.protocol === 'https:';
  return web && url.username === '' && url.password === '' ? url : null;
}

function invalidUrl(text: string): EgressFailure {
  const shown = JSON.stringify(text.length > 100 ? `${text.slice(0, 100)}…` : text);
  const message = text.includes('@')
    ? 'The URL is not valid: it must start with http:// or https:// and hold no user name or password.'
    : `${shown} is not a valid URL: it must start with http:// or https:// and have at most ${urlLengthMax} characters.`;
  return { kind: 'invalid_url', message };
}

/** `signal` ends what can be aborted; `passed` rejects for what cannot (getaddrinfo), and should Node ever swallow the signal. */
function startDeadline(timeoutMs: number, calledOff?: AbortSignal) {
  const controller = new AbortController();
  const end = () => controller.abort();
  const timer = setTimeout(end, timeoutMs);
  const passed = new Promise<never>((_resolve, reject) => {
    controller.signal.addEventListener('abort', () => reject(controller.signal.reason), { once: true });
  });
  // Where the race is long over, nobody waits for it any more.
  passed.catch(() => {});
  calledOff?.addEventListener('abort', end, { once: true });
  if (calledOff?.aborted) end();
  const stop = () => {
    clearTimeout(timer);
    calledOff?.removeEventListener('abort', end);
  };
  return { signal: controller.signal, passed, stop };
}

function timedOut(url: URL, timeoutMs: number): EgressFailure {
  return { kind: 'timeout', message: `${url.host} did not complete its answer within ${timeoutMs / 1_000} s.` };
}

function contentOf(response: ExchangeResponse, url: URL, maxBytes: number): FetchedBytes | EgressFailure {
  const { status, headers, bytes, truncated } = response;
  if (status >= 300 && status < 400) {
    const message = `${url.host} redirects (${status}); redirects are not followed: use the address it leads to.`;
    return { kind: 'redirected', message };
  }
  if (status !== 200)
    return { kind: 'bad_status', message: `${url.host} answered with status ${status} instead of 200.` };
  if (truncated) return { kind: 'too_large', message: `The content at ${url.host} is larger than ${maxBytes} bytes.` };
  // Passed on as it came it would be a broken attachment; unpacking it is what decompression bombs wait for.
  if ((headers['content-encoding'] ?? 'identity') !== 'identity') {
    return { kind: 'encoded', message: `${url.host} sent its content compressed although asked not to.` };
  }
  const filename = filenameOf(headers['content-disposition'] ?? '');
  return { kind: 'ok', bytes, contentType: headers['content-type'] ?? null, filename };
}
