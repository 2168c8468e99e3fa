/** Brevo's log has an entry for each recipient of an email, with a uuid of its own; ours is made from the email's id. */

import { shownRecipients } from '../../core/envelope.ts';
import { AppError } from '../../core/error.ts';
import { isUuid } from '../../core/token.ts';
import type { Reader } from '../../store/database.ts';
import { type EmailSummary, findEmailSummary } from '../../store/mail/emails.ts';
import { findEmailBetween } from '../../store/page/email-search.ts';

/** `address` as SMTP is told it. */
export type Recipient = { address: string; uuid: string };

/** Each once, less those whose log was deleted. */
export function recipientsOf(email: EmailSummary): Recipient[] {
  return shownRecipients(email).map(({ address, position }) => ({
    address,
    uuid: recipientUuid(email.id, position),
  }));
}

/**
 * The email's UUIDv7 made a UUIDv8 (RFC 9562 5.8) whose fourth group is the recipient's position: what it overwrites is a
 * few bits of a counter, and the rest finds the email again.
 */
function recipientUuid(emailId: string, position: number): string {
  const group = (0x8000 | position).toString(16);
  return `${emailId.slice(0, 14)}8${emailId.slice(15, 19)}${group}${emailId.slice(23)}`;
}

/** @throws AppError `not_found` */
export async function findRecipient(
  reader: Reader,
  account: string,
  uuid: string,
): Promise<{ email: EmailSummary; recipient: Recipient }> {
  const wanted = uuid.toLowerCase();
  if (isUuid(wanted)) {
    const start = `${wanted.slice(0, 14)}7${wanted.slice(15, 19)}`;
    const end = wanted.slice(23);
    const range = { low: `${start}0000-000000000000`, high: `${start}ffff-ffffffffffff`, end };
    const email = await findEmailBetween(reader, account, range);
    const recipient = email && recipientsOf(email).find((one) => one.uuid === wanted);
    if (recipient) return { email, recipient };
  }
  throw new AppError('not_found', 'There is no email with this uuid');
}

/** Our Message-ID is `<the email's id@the sender's domain>`; asked for with its angle brackets or without. */
export async function findByMessageId(reader: Reader, account: string, text: string): Promise<EmailSummary | null> {
  const bare = text
    .trim()
    .replace(/^<(.*)>$/, '$1')
    .toLowerCase();
  const id = bare.slice(0, 36);
  const email = isUuid(id) ? await findEmailSummary(reader, account, id) : null;
  return email && email.messageId.toLowerCase() === `<${bare}>` ? email : null;
}
