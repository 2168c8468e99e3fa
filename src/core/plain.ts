/** What leaves of an email to a relay that takes no UTF-8 in addresses and header fields (RFC 6531): the same without those addresses. */

import { isAscii } from 'node:buffer';
import { parseMailbox } from './address.ts';
import type { Email } from './email.ts';

type HeaderFields = Pick<Email, 'from' | 'to' | 'cc' | 'replyTo' | 'headers'>;

/** Whether some address of its header fields, or its sender's, is beyond ASCII: everything else is encoded. */
export function needsUtf8(email: HeaderFields): boolean {
  const mailboxes = [email.from, ...email.to, ...email.cc, ...email.replyTo];
  return mailboxes.some(isBeyondAscii) || email.headers.some(isAddressBeyondAscii);
}

/** Of an email whose sender is ASCII all header fields are then ASCII, too. */
export function plainOf<E extends HeaderFields>(email: E): E {
  const ofAscii = (mailboxes: string[]) => mailboxes.filter((mailbox) => !isBeyondAscii(mailbox));
  return {
    ...email,
    to: ofAscii(email.to),
    cc: ofAscii(email.cc),
    replyTo: ofAscii(email.replyTo),
    headers: email.headers.filter((header) => !isAddressBeyondAscii(header)),
  };
}

export function isAsciiText(text: string): boolean {
  return isAscii(Buffer.from(text));
}

function isBeyondAscii(mailbox: string): boolean {
  return !isAsciiText(parseMailbox(mailbox)?.address ?? '');
}

function isAddressBeyondAscii([name, value]: [name: string, value: string]): boolean {
  return /^(?:reply-to|sender)$/i.test(name) && isBeyondAscii(value.trim());
}
