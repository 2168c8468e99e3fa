/** Reads `mx:`, the recipients' own servers; what stands after ? is for networks and resolvers of one's own. */

import { isIP } from 'node:net';
import { createAddressPolicy } from '../egress/address.ts';
import { RelayUrlError } from './relay-url.ts';

export type MxServer = {
  /** Resolvers to be asked instead of the system's, as `127.0.0.1:53`. */
  dns: readonly string[];
  port: number;
  /** Of the hosts that MTA-STS policies are read from. */
  stsPort: number;
  /** Addresses and ranges that mail may go to although they are not public. */
  allow: readonly string[];
  /** Whose server a test opens a session with. */
  probe: string;
  /** What EHLO says. */
  name?: string;
  /** The address connections come from. */
  source?: string;
  /** Whose certificate is taken beside those the system takes, where a policy asks for one. */
  tls?: { ca: string[] } | { rejectUnauthorized: false };
};

/** What it is called where `RELAY_URL` names it. */
export const mxName = 'mx';

export const ehloPattern = /^[!-~]{1,255}$/;

const known = ['dns', 'port', 'sts_port', 'allow', 'probe', 'ehlo', 'source'] as const;
type Known = (typeof known)[number];

/** A large service that answers everybody, so that a test tells whether port 25 is open. */
const probeDefault = 'gmail.com';

/** Null: it is not `mx:`. @throws RelayUrlError */
export function parseMxUrl(text: string): MxServer | null {
  if (!/^mx:/.test(text)) return null;
  const [, query = ''] = /^mx:(?:\?(.*))?$/.exec(text) ?? [];
  if (!/^mx:(\?|$)/.test(text)) {
    throw new RelayUrlError(
      'is mx: with a host: the recipients decide where mail goes. Write mx: alone, or mx:?dns=….',
    );
  }
  const terms = new URLSearchParams(query);
  for (const name of terms.keys()) {
    if (!known.includes(name as Known)) {
      throw new RelayUrlError(`has an unknown parameter after ?: known are ${known.join(', ')}.`);
    }
  }
  const name = terms.get('ehlo');
  const source = terms.get('source');
  return {
    dns: listOf(terms, 'dns').map(resolverOf),
    port: portOf(terms, 'port', 25),
    stsPort: portOf(terms, 'sts_port', 443),
    allow: allowedOf(terms),
    probe: terms.get('probe') ?? probeDefault,
    ...(name === null ? {} : { name: ehloOf(name) }),
    ...(source === null ? {} : { source: sourceOf(source) }),
  };
}

/** @throws RelayUrlError */
export function sourceOf(source: string): string {
  if (isIP(source) !== 0) return source;
  throw new RelayUrlError('has a source that is not an address of this machine, as 203.0.113.5.');
}

function ehloOf(name: string): string {
  if (ehloPattern.test(name)) return name;
  throw new RelayUrlError('has an ehlo that is not a host name.');
}

function listOf(terms: URLSearchParams, name: Known): string[] {
  return (terms.get(name) ?? '').split(',').filter((one) => one !== '');
}

function portOf(terms: URLSearchParams, name: Known, fallback: number): number {
  const text = terms.get(name);
  if (text === null) return fallback;
  const port = Number(text);
  if (/^\d{1,5}$/.test(text) && port >= 1 && port <= 65_535) return port;
  throw new RelayUrlError(`has a ${name} that is not a number from 1 to 65535.`);
}

/** `[::1]:53`, `127.0.0.1:53`, or an address alone. */
export function isResolver(text: string): boolean {
  const [, bracketed, plain] = /^(?:\[([^\]]+)\]|([\d.]+))(?::\d{1,5})?$/.exec(text) ?? [];
  return isIP(bracketed ?? plain ?? text) !== 0;
}

function resolverOf(text: string): string {
  if (isResolver(text)) return text;
  throw new RelayUrlError('has a dns that is not an address with or without a port, as 127.0.0.1:53 or [::1]:53.');
}

function allowedOf(terms: URLSearchParams): string[] {
  const allow = listOf(terms, 'allow');
  try {
    createAddressPolicy(allow);
    return allow;
  } catch {
    throw new RelayUrlError('has an allow that is neither addresses nor ranges, as 10.0.0.0/8.');
  }
}
