/** Addresses as authors write them: what counts as one mailbox, and which addresses are simulated. */

import assert from 'node:assert/strict';
import { domainToASCII } from 'node:url';

export type Mailbox = {
  /** As a person reads it, without quotes; empty when there is none. */
  name: string;
  /** What SMTP is told (RFC 5321 4.1.2): the domain in ASCII, the local part as written, perhaps beyond ASCII (RFC 6531). */
  address: string;
};

/** RFC 5321 4.5.3.1.1 and 4.5.3.1.3 (a path of 256 octets has two angle brackets); octets, not characters. */
const localPartBytesMax = 64;
const addressBytesMax = 254;
/** RFC 1035 2.3.4. */
const labelLengthMax = 63;
/** Room for a 64-byte local part, a domain and a long name; beyond it nobody means a name. */
const mailboxLengthMax = 1024;

/** Controls, line and paragraph separators, and halves of characters have no place in a header field. */
const unprintable = /[\p{Cc}\p{Cs}\u2028\u2029]/u;
/** RFC 5322 atext plus what RFC 6532 adds, less what cannot be seen: spaces, format characters. */
const localPartPattern = /^[\w!#$%&'*+\-/=?^`{|}~.\u0080-\u{10ffff}]+$/u;
const invisible = /[\p{Z}\p{Cf}]/u;
/** LDH labels (RFC 5321 4.1.2). */
const labelPattern = /^[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?$/;
const hasLetter = /[A-Za-z]/;
const beyondAscii = /[^\0-\x7f]/;

/** https://resend.com/docs/dashboard/emails/send-test-emails; the last one takes no label. */
const testAddressPattern = /^(?:(delivered|bounced|complained)(?:\+[^@]*)?|(suppressed))@resend\.dev$/i;

export type TestOutcome = 'delivered' | 'bounced' | 'complained' | 'suppressed';

/**
 * Reads exactly one mailbox: `a@b.c`, `Name <a@b.c>`, `"Quoted, Name" <a@b.c>`. Null for anything else.
 *
 * Stricter than RFC 5322 (no comments, groups, routes, quoted local parts or address literals) and laxer in one way:
 * an unquoted name may hold commas and dots (`Acme, Inc. <a@b.c>`), unless that could be a second address.
 */
export function parseMailbox(text: string): Mailbox | null {
  let mailbox = recent.get(text);
  if (mailbox === undefined) {
    mailbox = readMailbox(text);
    if (recent.size >= recentMax) recent.clear();
    recent.set(text, mailbox);
  }
  return mailbox;
}

/** One address is read at acceptance, for the envelope and when composing, and a sender again and again. */
const recent = new Map<string, Mailbox | null>();
const recentMax = 1_000;

function readMailbox(text: string): Mailbox | null {
  if (text.length > mailboxLengthMax || unprintable.test(text)) return null;
  const trimmed = text.trim();
  if (!trimmed.endsWith('>')) return mailboxOf('', trimmed);

  const open = trimmed.lastIndexOf('<');
  if (open === -1) return null;
  const name = parseName(trimmed.slice(0, open).trim());
  return name === null ? null : mailboxOf(name, trimmed.slice(open + 1, -1));
}

/** A name and an address as one text that `parseMailbox` reads back; null where either is not fit for it. */
export function writeMailbox({ name, address }: Mailbox): string | null {
  const text = name === '' ? address : `${/[<>"@,;\\]/.test(name) ? quote(name) : name} <${address}>`;
  const read = address.includes('<') ? null : parseMailbox(text);
  return read?.name === name ? text : null;
}

function quote(name: string): string {
  return `"${name.replace(/["\\]/g, '\\$&')}"`;
}

/** The bare address of a mailbox that was validated when it was accepted, as SMTP is told it. */
export function envelopeAddress(text: string): string {
  const mailbox = parseMailbox(text);
  assert(mailbox !== null, 'an address of an accepted email must have been validated');
  return mailbox.address;
}

/** What Resend simulates for its own test addresses, null for every other address. Takes a bare address. */
export function testAddressOutcome(address: string): TestOutcome | null {
  const match = testAddressPattern.exec(address);
  const word = match?.[1] ?? match?.[2];
  return word === undefined ? null : (word.toLowerCase() as TestOutcome);
}

function mailboxOf(name: string, written: string): Mailbox | null {
  const address = parseAddress(written);
  return address === null ? null : { name, address };
}

function parseName(text: string): string | null {
  if (text.startsWith('"')) return unquote(text);
  if (/[<>"]/.test(text)) return null;
  const mayBeSecondAddress = text.includes('@') && /[,;]/.test(text);
  return mayBeSecondAddress ? null : text;
}

/** RFC 5322 quoted-string, which must end where the text ends. */
function unquote(text: string): string | null {
  const match = /^"((?:[^"\\]|\\.)*)"$/u.exec(text);
  return match?.[1] === undefined ? null : match[1].replace(/\\(.)/gu, '$1');
}

function parseAddress(written: string): string | null {
  const at = written.indexOf('@');
  if (at === -1 || !isLocalPart(written.slice(0, at))) return null;
  const domain = asciiDomain(written.slice(at + 1));
  if (domain === null) return null;
  const address = `${written.slice(0, at)}@${domain}`;
  return Buffer.byteLength(address) <= addressBytesMax ? address : null;
}

function isLocalPart(text: string): boolean {
  if (!localPartPattern.test(text) || invisible.test(text)) return false;
  if (text.startsWith('.') || text.endsWith('.') || text.includes('..')) return false;
  return Buffer.byteLength(text) <= localPartBytesMax;
}

function asciiDomain(written: string): string | null {
  // Before it is converted, which takes quadratic time on a long label.
  if (written.length > addressBytesMax) return null;
  // domainToASCII drops invisible characters and turns full-width digits into an IPv4 address: look before and after.
  if (invisible.test(written)) return null;
  const domain = beyondAscii.test(written) ? domainToASCII(written) : written;
  const labels = domain.split('.');
  if (!labels.every((label) => label.length <= labelLengthMax && labelPattern.test(label))) return null;
  // A last label of digits alone is an IPv4 address (RFC 3696 2), which needs brackets and is not mail between people.
  return hasLetter.test(labels.at(-1) ?? '') ? domain : null;
}
