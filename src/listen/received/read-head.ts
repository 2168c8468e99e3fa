/** The header of a mail that came from anywhere: read as far as it can be, whatever stands in it. */

import { envelopeAddress } from '../../core/address.ts';
import { AppError } from '../../core/error.ts';
import { endOfHeader } from '../../core/raw-mail.ts';
import { hopsMax, type ReceivedHead } from '../../core/received-mail.ts';
import { type Fields, fieldOf, readFields } from '../../evidence/fields.ts';
import { mailboxesOf, textOf } from '../field-text.ts';

export type Envelope = { from: string; to: readonly string[] };

/** As a submission's: relays refuse more than some 100 kB. */
const headerBytesMax = 128 * 1024;
/** What more of them say is not shown. */
const fieldsMax = 1_000;

/** @throws AppError where it goes round in a loop, or has too much of a header. */
export function readHead(mail: Buffer, envelope: Envelope): ReceivedHead {
  const end = endOfHeader(mail);
  if (end > headerBytesMax)
    throw new AppError('headers_too_large', `The header has more than ${headerBytesMax} octets.`);
  // Beyond ASCII it is UTF-8 (RFC 6532).
  const fields = readFields(mail.toString('utf8', 0, end));
  if ((fields.get('received')?.length ?? 0) > hopsMax) {
    throw new AppError('unreadable', 'It has been handed on too often: it goes round in a loop.');
  }
  const mailboxes = (name: string) => (fields.get(name) ?? []).flatMap(mailboxesOf);
  const named = { to: mailboxes('to'), cc: mailboxes('cc') };
  return {
    from: mailboxes('from')[0] ?? (textOf(fieldOf(fields, 'from')) || envelope.from),
    ...named,
    bcc: unnamed(envelope.to, [...named.to, ...named.cc]),
    replyTo: mailboxes('reply-to'),
    subject: textOf(fieldOf(fields, 'subject')),
    messageId: textOf(fieldOf(fields, 'message-id')),
    // Whoever writes one before it is here writes it for another end.
    headers: { ...shown(fields), 'return-path': `<${envelope.from}>` },
  };
}

function unnamed(recipients: readonly string[], named: readonly string[]): string[] {
  const known = new Set(named.map((mailbox) => envelopeAddress(mailbox).toLowerCase()));
  return recipients.filter((address) => !known.has(address.toLowerCase()));
}

function shown(fields: Fields): Record<string, string> {
  return Object.fromEntries([...fields].slice(0, fieldsMax).map(([name, [value = '']]) => [name, textOf(value)]));
}
