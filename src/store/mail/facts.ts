/** Facts as they are written: a row, and whom it is to be told. Those about emails and all others come through here. */

import type { FactType } from '../../core/event.ts';
import type { Said } from '../../core/reply.ts';
import type { Transaction } from '../database.ts';
import { fanOut } from '../webhooks/deliveries.ts';

export type Fact = {
  account: string;
  /** The id of the email, suppression, contact or domain it is about. */
  about: string;
  type: FactType;
  at: number;
  /** Stored as JSON. */
  detail: {
    recipients?: string[];
    said?: Said | null;
    suppression?: unknown;
    contact?: unknown;
    domain?: unknown;
    lists?: unknown;
  };
};

/** In the transaction that makes it true. */
export async function writeFact(tx: Transaction, { account, about, type, at, detail }: Fact): Promise<void> {
  const [row] = await tx.all<{ id: number }>(
    'insert into events (account, email_id, type, at, detail) values (?, ?, ?, ?, ?) returning id',
    account,
    about,
    type,
    at,
    JSON.stringify(detail),
  );
  const { recipients = [], said = null } = detail;
  const event = row?.id ?? 0;
  await fanOut(tx, { account, emailId: about, event, type, at, said, recipientCount: recipients.length });
}
