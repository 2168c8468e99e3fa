/** Which addresses a stranger's URL may make us connect to: those of the public internet, and what the operator allows. */

import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';

type Address = ipaddr.IPv4 | ipaddr.IPv6;
type Range = [network: Address, prefixLength: number];

/** Whether an address, as the resolver or the URL spells it, may be connected to. */
export type AddressPolicy = (address: string) => boolean;

/** What IPv6 has handed out for the public (RFC 4291 §2.4, IANA); outside lie ::/96, NAT64, ULA, link-local and what is yet to come. */
const globalIpv6: Range = ipaddr.IPv6.parseCIDR('2000::/3');

/** Public by its number, but answered by the host of every Azure machine, with credentials for whoever asks nicely. */
const azureHost = '168.63.129.16';

/**
 * `allow` are CIDRs or single addresses. Each means the family it is written in: `127.0.0.0/8` does not allow
 * `::ffff:127.0.0.1`, so that no second spelling comes along unnoticed. Throws on what is neither.
 */
export function createAddressPolicy(allow: readonly string[]): AddressPolicy {
  const allowed = allow.map(getRange);
  return (address) => {
    // Stricter than ipaddr.js, which also reads 0177.0.0.1 and 2130706433: what we judge must be what the system connects to.
    if (isIP(address) === 0) return false;
    const parsed = ipaddr.parse(address);
    return allowed.some((range) => contains(range, parsed)) || isPublic(parsed);
  };
}

/** Whether an address is in one of these CIDRs or single addresses. Throws on what is neither. */
export function createRanges(texts: readonly string[]): AddressPolicy {
  const ranges = texts.map(getRange);
  return (address) => {
    if (ranges.length === 0 || isIP(address) === 0) return false;
    const parsed = ipaddr.parse(address);
    return ranges.some((range) => contains(range, parsed));
  };
}

/** What one customer of a network has: an IPv4 address, or the 2^64 of IPv6 that come with each. */
export function networkOf(address: string): string {
  return isIP(address) === 6 ? ipaddr.IPv6.parse(address).parts.slice(0, 4).join(':') : address;
}

/** `unicast` is ipaddr.js's word for "in none of the special ranges": private, loopback, mapped, 6to4, Teredo and the rest are named. */
function isPublic(address: Address): boolean {
  if (address.range() !== 'unicast') return false;
  if (address.kind() === 'ipv6') return contains(globalIpv6, address);
  return address.toString() !== azureHost;
}

function contains([network, prefixLength]: Range, address: Address): boolean {
  return network.kind() === address.kind() && address.match(network, prefixLength);
}

function getRange(text: string): Range {
  const range = parseRange(text);
  if (range) return range;
  throw new Error(`"${text}" is neither an IP address nor a range in CIDR notation, such as 10.0.0.0/8 or fd00::/8`);
}

/** An IP address, or a range in CIDR notation; null where it is neither. */
export function parseRange(text: string): Range | null {
  const [address = '', length] = text.split('/');
  const family = isIP(address);
  const bits = family === 4 ? 32 : 128;
  const prefixLength = length === undefined ? bits : Number(length);
  const wellFormed = length === undefined || /^\d{1,3}$/.test(length);
  if (family === 0 || !wellFormed || prefixLength > bits || text.split('/').length > 2) return null;
  return [ipaddr.parse(address), prefixLength];
}
