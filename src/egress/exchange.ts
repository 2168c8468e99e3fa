/** One HTTP exchange with addresses that were decided beforehand: pinned, not redirected, not decompressed, bounded in bytes. */

import http from 'node:http';
import https from 'node:https';
import { isIP, type LookupFunction } from 'node:net';

export type ExchangeRequest = {
  method: string;
  url: URL;
  headers: Record<string, string>;
  body: Uint8Array | string | null;
  /** Reading stops beyond. */
  maxBytes: number;
};

export type ExchangeResponse = {
  status: number;
  headers: http.IncomingHttpHeaders;
  /** At most `maxBytes` of the body. */
  bytes: Uint8Array;
  /** The body was longer than that. */
  truncated: boolean;
};

/** Node's 250 ms gives up on a server across an ocean; a dead IPv6 route should cost no more than this before IPv4 is tried. */
const nextAddressAfterMs = 1_000;

/** Rejects with Node's own error, or with the signal's reason. */
export async function exchange(
  request: ExchangeRequest,
  addresses: readonly string[],
  trust: readonly string[] | null,
  signal: AbortSignal,
): Promise<ExchangeResponse> {
  const outgoing = open(request, addresses, trust, signal);
  try {
    const response = await new Promise<http.IncomingMessage>((resolve, reject) => {
      outgoing.on('response', resolve);
      // Stays on until the end: an error without a listener would end the process.
      outgoing.on('error', reject);
      // Without an answer and without an error: what Node makes of a 101 nobody asked for.
      outgoing.on('close', () => reject(Object.assign(new Error('closed without an answer'), { code: 'ECONNRESET' })));
      outgoing.end(request.body ?? undefined);
    });
    return await read(response, request.maxBytes);
  } finally {
    // Whatever the server still has to say, nobody listens: neither the rest of a body nor a connection kept open.
    outgoing.destroy();
  }
}

function open(
  { url, method, headers }: ExchangeRequest,
  addresses: readonly string[],
  trust: readonly string[] | null,
  signal: AbortSignal,
): http.ClientRequest {
  // An agent of its own: a pooled connection might go to an address that was decided on for somebody else.
  const agentOptions = {
    keepAlive: false,
    autoSelectFamily: true,
    autoSelectFamilyAttemptTimeout: nextAddressAfterMs,
    ...(trust === null ? {} : { ca: [...trust] }),
  };
  const options = {
    method,
    headers: { ...headers, 'accept-encoding': 'identity' },
    signal,
    lookup: pinned(addresses),
  };
  return url.protocol === 'https:'
    ? https.request(url, { ...options, agent: new https.Agent(agentOptions) })
    : http.request(url, { ...options, agent: new http.Agent(agentOptions) });
}

/** The name stays in Host, SNI and the certificate check; only what it resolves to is ours. Not asked for where the host is an address. */
function pinned(addresses: readonly string[]): LookupFunction {
  const entries = addresses.map((address) => ({ address, family: isIP(address) }));
  return (_hostname, options, callback) => {
    const first = entries[0];
    if (options.all === true) callback(null, entries);
    else callback(first ? null : new Error('no address'), first?.address ?? '', first?.family);
  };
}

async function read(response: http.IncomingMessage, maxBytes: number): Promise<ExchangeResponse> {
  const chunks: Uint8Array[] = [];
  let room = maxBytes;
  let truncated = false;
  for await (const chunk of response as AsyncIterable<Uint8Array>) {
    chunks.push(chunk.subarray(0, room));
    truncated = chunk.length > room;
    if (truncated) break;
    room -= chunk.length;
  }
  return { status: response.statusCode ?? 0, headers: response.headers, bytes: Buffer.concat(chunks), truncated };
}
