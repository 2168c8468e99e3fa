/** Events forget whom they were about, and what was said of it in words; what happened and when stays. */

import type { ContactSeen } from '../../core/change.ts';
import { eraseIn } from '../../core/erased.ts';
import { suppressionKey } from '../../core/suppression.ts';
import type { Database, DatabaseReader, Transaction } from '../database.ts';
import { type EventDetail, readDetail, wordless } from '../mail/events.ts';
import type { Suppression } from '../suppressions.ts';
import type { Erasing } from './emails.ts';
import { holding } from './holding.ts';

type Row = { id: number; detail: string };

/** Of an email that was for this person. */
export async function eraseFromEvents(
  tx: Transaction,
  { account, emailId }: { account: string; emailId: string },
  erasing: Erasing,
): Promise<void> {
  const rows = await tx.all<Row>('select id, detail from events where account = ? and email_id = ?', account, emailId);
  for (const row of rows)
    await writeText(tx, row.id, JSON.stringify(erasedDetail(readDetail(row.detail), erasing)), row.detail);
}

/** A relay's words name people in many ways: where one answer is about this person, its code alone stays. */
function erasedDetail(detail: EventDetail, { person, standIn, erase }: Erasing): EventDetail {
  const { recipients } = detail;
  const isPerson = (address: string) => suppressionKey(address) === person;
  if (recipients !== undefined && !recipients.some(isPerson)) return eraseIn(detail, erase);
  return eraseIn(
    {
      ...detail,
      ...(recipients && { recipients: recipients.map((one) => (isPerson(one) ? standIn : one)) }),
      ...(detail.reply !== undefined && { reply: wordless }),
      ...(detail.replies && {
        replies: detail.replies.map((words, index) => (isPerson(recipients?.[index] ?? '') ? wordless : words)),
      }),
    },
    erase,
  );
}

const chunkRows = 200;

/** The rest: changes of the suppression list, and whatever else names the address. Tells how far it came; null: to the end. */
export async function eraseFromOtherEvents(
  database: DatabaseReader,
  write: Database['write'],
  { after, instead }: { after: number; instead: (account: string, text: string) => string },
  person: string,
): Promise<number | null> {
  const rows = await database.report<Row & { account: string }>(
    `select id, account, detail from events where id > ? and ${holding('detail')} order by id limit ?`,
    after,
    ...holding.params(person),
    chunkRows,
  );
  await write(async (tx) => {
    for (const { id, account, detail } of rows) {
      const erased = eraseIn(unnamed(JSON.parse(detail), person), (text) => instead(account, text));
      await writeText(tx, id, JSON.stringify(erased), detail);
    }
  });
  return rows.length < chunkRows ? null : (rows.at(-1)?.id ?? null);
}

/** Without what else says who it was. */
function unnamed(detail: { suppression?: Suppression; contact?: ContactSeen }, person: string) {
  const { suppression, contact } = detail;
  const isTheirs = contact && suppressionKey(contact.address) === person;
  return {
    ...detail,
    ...(suppression?.address === person && { suppression: { ...suppression, reply: null } }),
    ...(isTheirs && { contact: { ...contact, firstName: null, lastName: null, properties: {} } }),
  };
}

async function writeText(tx: Transaction, id: number, erased: string, was: string): Promise<void> {
  if (erased !== was) await tx.run('update events set detail = ? where id = ?', erased, id);
}
