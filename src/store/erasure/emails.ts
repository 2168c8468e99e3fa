/** One person's emails forget what they said and to whom; how many they were, and what became of them, stays. */

import { envelopeAddress } from '../../core/address.ts';
import { type Eraser, eraseIn } from '../../core/erased.ts';
import { suppressionKey } from '../../core/suppression.ts';
import type { DatabaseReader, Transaction } from '../database.ts';
import { type EmailSummary, holdEmail, type Summary, writeSummary } from '../mail/emails.ts';
import { eraseFromDeliveries } from '../mail/move.ts';
import { purgeContent } from '../mail/purge.ts';
import { replaceTerms } from '../page/search-index.ts';
import { searchTerms } from '../page/search-query.ts';
import { eraseFromEvents } from './events.ts';
import { holding } from './holding.ts';

/** Whose, in the spelling of suppressions, and what stands there instead. */
export type Erasing = { person: string; standIn: string; erase: Eraser; now: number };

const chunkRows = 200;

/** Ids of emails that were for this person, or whose answers go there, in order; those whose subject has the address, too. */
export async function* emailsNaming(
  database: DatabaseReader,
  account: string,
  { person, erase }: Erasing,
): AsyncGenerator<string> {
  for (let after = ''; ; ) {
    const rows = await database.report<{ id: string; summary: string }>(
      `select id, summary from emails where account = ? and id > ? and ${holding('summary')} order by id limit ?`,
      account,
      after,
      ...holding.params(person),
      chunkRows,
    );
    for (const { id, summary } of rows) {
      // Who wrote it is the account's own: an app's mail is not forgotten with the address it comes from.
      const { from: _, returnPath: __, ...rest }: Summary = JSON.parse(summary);
      if (JSON.stringify(eraseIn(rest, erase)) !== JSON.stringify(rest)) yield id;
    }
    const last = rows.at(-1);
    if (!last || rows.length < chunkRows) return;
    after = last.id;
  }
}

/** `open`: some delivery of it is not settled, and nothing was written. */
export async function eraseEmail(
  tx: Transaction,
  { account, id }: { account: string; id: string },
  erasing: Erasing,
): Promise<'erased' | 'open'> {
  const email = await holdEmail(tx, account, id);
  if (!email) return 'erased';
  const open = await tx.all(
    `select part from deliveries where account = ? and email_id = ?
     and state in ('queued', 'sending', 'handoff', 'in_doubt') limit 1`,
    account,
    id,
  );
  if (open.length > 0) return 'open';
  const erased = erasedSummary(email, erasing);
  await writeSummary(tx, erased);
  await replaceTerms(tx, email, [searchTerms(email), searchTerms(erased)]);
  await eraseFromDeliveries(tx, { account, emailId: id }, erasing);
  await eraseFromEvents(tx, { account, emailId: id }, erasing);
  await eraseFromNotices(tx, { account, emailId: id }, erasing);
  if (email.keyHash) await eraseFromKey(tx, account, email.keyHash, erasing);
  await purgeUnlessPurged(tx, account, id, erasing.now);
  return 'erased';
}

function erasedSummary(email: EmailSummary, { person, standIn, erase }: Erasing): EmailSummary {
  const isPerson = (mailbox: string) => suppressionKey(envelopeAddress(mailbox)) === person;
  // With the name before it.
  const each = (mailboxes: string[]) => mailboxes.map((one) => (isPerson(one) ? standIn : erase(one)));
  const { to, cc, bcc, replyTo, tags, forgotten } = email;
  return {
    ...email,
    ...{ to: each(to), cc: each(cc), bcc: each(bcc), replyTo: each(replyTo), tags: eraseIn(tags, erase) },
    forgotten: forgotten?.map((one) => (one === person ? standIn : one)),
    subject: '',
  };
}

async function eraseFromNotices(
  tx: Transaction,
  { account, emailId }: { account: string; emailId: string },
  { person, standIn }: Erasing,
): Promise<void> {
  await tx.run(
    'update notices set recipient = ? where account = ? and email_id = ? and recipient = ?',
    standIn,
    account,
    emailId,
    person,
  );
}

/** The answer that a replay repeats mostly has ids alone. */
async function eraseFromKey(tx: Transaction, account: string, keyHash: Uint8Array, { erase }: Erasing): Promise<void> {
  const [row] = await tx.all<{ body: string }>(
    'select body from idempotency_keys where account = ? and key_hash = ?',
    account,
    keyHash,
  );
  const erased = row && erase(row.body);
  if (erased === undefined || erased === row?.body) return;
  await tx.run('update idempotency_keys set body = ? where account = ? and key_hash = ?', erased, account, keyHash);
}

async function purgeUnlessPurged(tx: Transaction, account: string, id: string, now: number): Promise<void> {
  const [row] = await tx.all('select id from emails where account = ? and id = ? and purged_at is null', account, id);
  if (row) await purgeContent(tx, account, id, now);
}
