/** What a request is called: in its answer, in the log, and with the emails it made. */

import { randomBytes } from 'node:crypto';
import type { IncomingMessage } from 'node:http';

export const requestIdHeader = 'x-request-id';

/** 64 bits: no two of an account's are alike. */
const idBytes = 8;
/** Random bytes are asked for by the thousand: one by one each costs a call into OpenSSL. */
const bytesAtOnce = 1_024;

let pool = Buffer.alloc(0);

export function createRequestId(): string {
  if (pool.length < idBytes) pool = randomBytes(bytesAtOnce);
  const id = pool.toString('hex', 0, idBytes);
  pool = pool.subarray(idBytes);
  return `req_${id}`;
}

const idOf = Symbol('request id');

type Named = { [idOf]?: string };

/** The same one however often it is asked for. Kept on the request: the collector walks each entry of a WeakMap. */
export function requestIdOf(incoming: IncomingMessage & Named): string {
  incoming[idOf] ??= createRequestId();
  return incoming[idOf];
}

/** W3C Trace Context, version 00 and those after it. */
const traceparent = /^[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/;

/** Null where it is absent, or nothing that others could read. */
export function readTraceparent(value: string | undefined): string | null {
  const text = value?.trim() ?? '';
  return traceparent.test(text) ? text : null;
}
