/** Where else a person stands: contacts, broadcasts, suppressions, what webhooks and relays answered, and notices nobody knows. */

import { createEraser, erasedKey } from '../../core/erased.ts';
import { deleteContact, eraseContact, findContact } from '../contacts/contacts.ts';
import { hasLeftAny } from '../contacts/topics.ts';
import type { Database, DatabaseReader, SqlValue, Transaction } from '../database.ts';
import { eraseSuppression } from '../suppressions.ts';
import type { Erasing } from './emails.ts';
import { holding } from './holding.ts';

type Write = Database['write'];

export type ErasedElsewhere = { contact: boolean; suppression: boolean };

/** To be called by who holds the account. */
export async function eraseFromAccount(
  tx: Transaction,
  account: string,
  { person, now }: Erasing,
): Promise<ErasedElsewhere> {
  const contact = await findContact(tx, account, { address: person });
  if (contact) {
    // Who has left has left: forgetting that would let them be written to again.
    const hasLeft = contact.unsubscribedAt !== null || (await hasLeftAny(tx, account, contact.id));
    if (hasLeft) await eraseContact(tx, contact, erasedKey(account, person), now);
    else await deleteContact(tx, account, contact.id);
  }
  await tx.run(
    'update broadcast_recipients set address_key = ? where account = ? and address_key = ?',
    erasedKey(account, person),
    account,
    person,
  );
  return { contact: contact !== null, suppression: await eraseSuppression(tx, account, person) };
}

/** Webhooks' answers, as many as one step looks at. */
const answersAtOnce = 500;

/** What endpoints and relays said, and mail that came back and matched nothing: of no account, or of any. */
export async function eraseFromAnswers(
  database: DatabaseReader,
  write: Write,
  { person, erase }: Erasing,
): Promise<void> {
  const like = holding.params(person);
  const strays = await straysNaming(database, person);
  const reports = await database.report<{ relay: string; worker: string; reply: string }>(
    `select relay, worker, reply from relay_reports where ${holding('reply')}`,
    ...like,
  );
  await write(async (tx) => {
    for (const id of strays) await tx.run('delete from stray_notices where id = ?', id);
    for (const { relay, worker, reply } of reports) {
      const sql = 'update relay_reports set reply = ? where relay = ? and worker = ? and reply = ?';
      await tx.run(sql, erase(reply), relay, worker, reply);
    }
  });
  await eraseFromResponses(database, write, person);
}

type ResponseRow = { webhook: number; delivery: string; position: number; attempt: number; response: string };

/** An endpoint may repeat all it was told: nothing of such an answer stays. */
async function eraseFromResponses(database: DatabaseReader, write: Write, person: string): Promise<void> {
  const key = 'webhook, delivery, position, attempt';
  for (let after: SqlValue[] = [0, '', 0, 0]; ; ) {
    const rows = await database.report<ResponseRow>(
      `select ${key}, response from webhook_attempts where (${key}) > (?, ?, ?, ?) and ${holding('response')}
       order by ${key} limit ?`,
      ...after,
      ...holding.params(person),
      answersAtOnce,
    );
    const keyOf = ({ webhook, delivery, position, attempt }: ResponseRow) => [webhook, delivery, position, attempt];
    await write(async (tx) => {
      for (const row of rows) {
        await tx.run(`update webhook_attempts set response = '' where (${key}) = (?, ?, ?, ?)`, ...keyOf(row));
      }
    });
    const last = rows.at(-1);
    if (!last || rows.length < answersAtOnce) return;
    after = keyOf(last);
  }
}

/** There are a thousand at most, each the beginning of a mail. */
async function straysNaming(database: DatabaseReader, person: string): Promise<number[]> {
  const found: number[] = [];
  const isIn = (text: string) => createEraser(person, '')(text) !== text;
  for (let after = 0; ; ) {
    const rows = await database.report<StrayRow>(
      'select id, recipient, sender, subject, bytes from stray_notices where id > ? order by id limit 50',
      after,
    );
    for (const { id, recipient, sender, subject, bytes } of rows) {
      const texts = [recipient ?? '', sender, subject, Buffer.from(bytes).toString('utf8')];
      if (texts.some(isIn)) found.push(id);
    }
    const last = rows.at(-1);
    if (!last) return found;
    after = last.id;
  }
}

type StrayRow = { id: number; recipient: string | null; sender: string; subject: string; bytes: Uint8Array };
