/** Facts as they are written: a row, and whom it is to be told. Those about emails and all others come through here. */

import type { FactType } from '../../core/event.ts';
import type { Said } from '../../core/reply.ts';
import type { Transaction } from '../database.ts';
import { fanOut, hasSubscriptions } from '../webhooks/deliveries.ts';

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

const insertSql = 'insert into events (account, email_id, type, at, detail) values (?, ?, ?, ?, ?)';

/** In the transaction that makes it true. */
export async function writeFact(tx: Transaction, { account, about, type, at, detail }: Fact): Promise<void> {
  const row = [account, about, type, at, JSON.stringify(detail)] as const;
  // Most accounts have no webhooks, and a row that comes back costs as much as half of the insert.
  if (!(await hasSubscriptions(tx, account))) {
    await tx.run(insertSql, ...row);
    return;
  }
  const [inserted] = await tx.all<{ id: number }>(`${insertSql} returning id`, ...row);
  const { recipients = [], said = null } = detail;
  const event = inserted?.id ?? 0;
  await fanOut(tx, { account, emailId: about, event, type, at, said, recipientCount: recipients.length });
}
