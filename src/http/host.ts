/** Which `Host` is answered on a loopback address: a page of a stranger's, whose name leads here, must not read what is served to this machine. */

import type { IncomingMessage } from 'node:http';
import { AppError } from '../core/error.ts';
import { isLoopback } from '../core/loopback.ts';

/** Null: the request is for us. */
export type HostCheck = (incoming: IncomingMessage) => AppError | null;

export type HostOptions = { listensOn: string; publicUrl: string | null; allowed: readonly string[] };

/** Elsewhere than on loopback every name may lead here: a browser is kept out by nothing but the key then. */
export function createHostCheck({ listensOn, publicUrl, allowed }: HostOptions): HostCheck {
  if (!isLoopback(listensOn)) return () => null;
  const ours = new Set(allowed.map((host) => host.toLowerCase()));
  if (publicUrl !== null) ours.add(new URL(publicUrl).hostname);
  return ({ headers: { host } }) => {
    // HTTP/1.0 knows none, and browsers do not speak it.
    if (host === undefined) return null;
    const name = nameOf(host);
    return isLoopback(name) || ours.has(name) ? null : misdirected();
  };
}

/** Without port and brackets. */
function nameOf(host: string): string {
  return host
    .trim()
    .toLowerCase()
    .replace(/:\d*$/, '')
    .replace(/^\[(.*)\]$/, '$1');
}

function misdirected(): AppError {
  const message =
    'This server does not answer under this Host. Ask it as localhost, or name the host in PUBLIC_URL or ALLOWED_HOSTS.';
  return new AppError('misdirected', message);
}
