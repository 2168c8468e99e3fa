/**
 * What comes back of a delivery says which one it is, and proves that it was ours: a MAC in the sender of the envelope, and in the
 * envelope's id, which the relay repeats in what it notifies of (RFC 3461 4.4).
 */

import { timingSafeEqual } from 'node:crypto';
import type { Mac, Secrets } from './secrets.ts';
import { isUuid } from './token.ts';

/** Which delivery; whose it is stands in the database. */
export type Returned = { emailId: string; part: number };

/** What may be asked of a relay that offers DSN (RFC 3461 4.1). */
export const noticeKinds = ['failure', 'delay', 'success'] as const;
export type NoticeKind = (typeof noticeKinds)[number];

/** What the relay is told to come back to. */
export type Returns = {
  /** The sender of the envelope. Null: the author. */
  address: string | null;
  envelopeId: string;
  /** Empty: what the relay does of itself. */
  notify: readonly NoticeKind[];
};

export type ReturnPaths = {
  /** Null: bounces go to authors. */
  domain: string | null;
  returnsOf(delivery: Returned): Returns;
  /** Null: it is no address of ours, or nobody who has the key has made it. Whatever its case. */
  readAddress(address: string): Returned | null;
  /** The same, of an envelope's id. */
  readEnvelopeId(text: string): Returned | null;
};

export type ReturnPathSetting = { bounceDomain: string | null; bounceNotify: readonly NoticeKind[] };

export function createReturnPaths(
  secrets: Pick<Secrets, 'macs'>,
  { bounceDomain: domain, bounceNotify }: ReturnPathSetting,
): ReturnPaths {
  const macs = secrets.macs('return path');
  const [newest] = macs;
  const notify = domain === null ? [] : bounceNotify;
  const isOurs = (delivery: Returned, mac: string) => macs.some((one) => isSame(macOf(one, delivery), mac));
  const check = ([, id = '', part = '', mac = '']: readonly string[]): Returned | null => {
    const delivery = { emailId: withHyphens(id), part: Number(part) };
    return isUuid(delivery.emailId) && isOurs(delivery, mac) ? delivery : null;
  };

  return {
    domain,
    returnsOf(delivery) {
      const { emailId, part } = delivery;
      const mac = macOf(newest, delivery);
      return {
        address: domain && `bounces+${emailId.replaceAll('-', '')}-${part}.${mac}@${domain}`,
        envelopeId: `${emailId}.${part}.${mac}`,
        notify,
      };
    },
    readAddress(address) {
      const [, local = '', host = ''] = /^(.{1,64})@([^@]+)$/s.exec(address.toLowerCase()) ?? [];
      return host === domain ? check(localPart.exec(local) ?? []) : null;
    },
    readEnvelopeId: (text) => check(envelopeId.exec(text.toLowerCase()) ?? []),
  };
}

/** At most 62 of the 64 characters there are (RFC 5321 4.5.3.1.1), none of which changes where a relay writes it in small letters. */
const localPart = /^bounces\+([0-9a-f]{32})-(\d{1,4})\.([0-9a-v]{16})$/;
const envelopeId = /^([0-9a-f-]{36})\.(\d{1,4})\.([0-9a-v]{16})$/;

/** 80 bits in 16 characters of base 32: nobody can try as many against a server. */
function macOf(mac: Mac, { emailId, part }: Returned): string {
  const bytes = Buffer.from(mac(`${emailId}.${part}`), 'base64url').subarray(0, 10);
  return BigInt(`0x${bytes.toString('hex')}`)
    .toString(32)
    .padStart(16, '0');
}

function isSame(ours: string, theirs: string): boolean {
  return ours.length === theirs.length && timingSafeEqual(Buffer.from(ours), Buffer.from(theirs));
}

function withHyphens(id: string): string {
  return /^[0-9a-f]{32}$/.test(id) ? id.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5') : id;
}
