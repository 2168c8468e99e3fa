/** Where a request comes from: the other end of its connection, or who a trusted proxy says is behind it. */

import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';
import { createRanges } from '../egress/address.ts';

export type ClientAddress = (incoming: IncomingMessage) => string;

/**
 * Each proxy appends whom it was asked by to `X-Forwarded-For`; read from its end, the first that is no trusted proxy is the
 * client. What stands before that anybody may have written. `trusted` are addresses and CIDRs.
 */
export function createClientAddress(trusted: readonly string[]): ClientAddress {
  const isTrusted = createRanges(trusted);
  return (incoming) => {
    let address = plain(incoming.socket.remoteAddress ?? '');
    const hops = trusted.length === 0 ? [] : hopsOf(incoming.headers['x-forwarded-for']);
    while (isTrusted(address)) {
      const before = plain(hops.pop() ?? '');
      if (isIP(before) === 0) return address;
      address = before;
    }
    return address;
  };
}

function hopsOf(header: string | string[] | undefined): string[] {
  return [header ?? []].flat().join(',').split(',');
}

/** Some proxies add ports; IPv4 on a socket for both families is written as IPv6. */
function plain(text: string): string {
  const address = text
    .trim()
    .replace(/^\[(.*)\](?::\d+)?$/, '$1')
    .replace(/^(\d+\.\d+\.\d+\.\d+):\d+$/, '$1');
  return address.replace(/^::ffff:(?=\d+\.)/i, '');
}
