/** What stands in a field of a mail's header, as text: encoded words read (RFC 2047), and the mailboxes that it names. */

import { addressParser, decodeWords } from 'postal-mime';
import { parseMailbox, writeMailbox } from '../core/address.ts';

/** What of it are addresses that mail may go to; groups are taken apart. */
export function mailboxesOf(value: string): string[] {
  return addressParser(value, { flatten: true }).flatMap(({ name, address = '' }) => {
    const mailbox = parseMailbox(address);
    if (!mailbox) return [];
    return writeMailbox({ name: textOf(name ?? ''), address: mailbox.address }) ?? mailbox.address;
  });
}

export function textOf(value: string): string {
  return decodeWords(value)
    .replace(/[\p{Cc}\p{Cs}\u2028\u2029]+/gu, ' ')
    .trim();
}
