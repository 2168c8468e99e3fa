/** `message/delivery-status` (RFC 3464) and its sister for addresses beyond ASCII (RFC 6533): who got it, who did not, and why. */

import type { Notice, NoticeKind } from '../core/notice.ts';
import { type Fields, fieldOf, readGroups } from './fields.ts';
import { readSaid } from './said.ts';

export type DeliveryStatus = { envelopeId: string | null; notices: Notice[] };

export function readDeliveryStatus(text: string): DeliveryStatus {
  const groups = readGroups(text);
  const notices = groups.map(noticeOf).filter((one) => one !== null);
  const envelopeId = groups.map((group) => fieldOf(group, 'original-envelope-id')).find((id) => id !== '') ?? null;
  return { envelopeId, notices };
}

/** RFC 3464 2.3.3. */
const kinds: ReadonlyMap<string, NoticeKind> = new Map([
  ['failed', 'bounced'],
  ['delayed', 'delayed'],
  ['delivered', 'delivered'],
  ['relayed', 'passed_on'],
  ['expanded', 'passed_on'],
]);

/** Null: it is not about a recipient, or tells nothing. Comments may stand after a value (RFC 3464 2.1.1). */
function noticeOf(fields: Fields): Notice | null {
  const recipients = [
    ...new Set(['original-recipient', 'final-recipient'].flatMap((name) => addressesIn(fields, name))),
  ];
  const status = fieldOf(fields, 'status');
  const kind = kinds.get(/^[a-z]+/.exec(fieldOf(fields, 'action').toLowerCase())?.[0] ?? '') ?? byStatus(status);
  if (recipients.length === 0 || kind === null) return null;
  const diagnostic = fieldOf(fields, 'diagnostic-code').replace(/^[\w-]+\s*;/, '');
  return { kind, recipients, reply: readSaid(kind, diagnostic, status) };
}

/** Where no action is named, as some do. */
function byStatus(status: string): NoticeKind | null {
  const [, digit = ''] = /^\s*([245])\./.exec(status) ?? [];
  return ({ 2: 'delivered', 4: 'delayed', 5: 'bounced' } as const)[digit] ?? null;
}

function addressesIn(fields: Fields, name: string): string[] {
  return (fields.get(name) ?? []).flatMap((value) => readTyped(value));
}

/** `rfc822;ann@example.com`, `utf-8; j\x{F6}rg@example.com`, with or without a type; also as xtext, which not all decode (RFC 3461 4). */
function readTyped(value: string): string[] {
  const text = /^\s*[\w-]+\s*;(.*)$/s.exec(value)?.[1] ?? value;
  const address = bare(text.replace(/\s\([^()]*\)\s*$/, ''));
  if (!address.includes('@')) return [];
  const plain = address.replace(/\\x\{([0-9A-Fa-f]{2,6})\}/g, (whole, digits: string) => charOf(digits) ?? whole);
  const decoded = plain.replace(/\+([0-9A-F]{2})/g, (whole, digits: string) => charOf(digits) ?? whole);
  return [...new Set([plain, decoded])];
}

function charOf(digits: string): string | null {
  const point = Number.parseInt(digits, 16);
  return point > 0x10ffff || (point >= 0xd800 && point < 0xe000) ? null : String.fromCodePoint(point);
}

export function bare(text: string): string {
  const address = text.trim();
  return address.startsWith('<') && address.endsWith('>') ? address.slice(1, -1) : address;
}
