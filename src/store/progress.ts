/** How far a database has come: what a witness outside it compares, and what is done to one that went back in time. */

import { ensureSetting, findSetting, putSetting } from './accounts.ts';
import type { Database, Reader, Transaction } from './database.ts';
import { type DeliveryRef, never } from './mail/deliveries.ts';
import { appendEvent } from './mail/events.ts';

export type Progress = {
  /** Made at the first start: tells databases apart. */
  databaseId: string;
  /** Counts starts. */
  generation: number;
  /** The highest event id; 0 where there is none. */
  eventId: number;
};

/** A database that was found to be behind its witness, and what became of its open deliveries. */
export type WentBack = {
  /** Epoch milliseconds when it was found. */
  at: number;
  /** What the witness had seen. */
  from: { generation: number; eventId: number };
  held: number;
  /** False while they are being held: a start that died in between goes on. */
  isDone: boolean;
};

const generationSetting = 'generation';
const wentBackSetting = 'went_back';

/** Null before the first start. */
export async function findProgress(reader: Reader): Promise<Progress | null> {
  const databaseId = await findSetting(reader, 'database_id');
  if (databaseId === null) return null;
  const generation = Number((await findSetting(reader, generationSetting)) ?? 0);
  const [last] = await reader.all<{ id: number | null }>('select max(id) as id from events');
  return { databaseId, generation, eventId: last?.id ?? 0 };
}

/** A start: the generation is one more than the database, and than whatever witness was found. */
export async function beginGeneration(tx: Transaction, databaseId: string, witnessed: number): Promise<void> {
  await ensureSetting(tx, 'database_id', databaseId);
  const generation = Number((await findSetting(tx, generationSetting)) ?? 0);
  await putSetting(tx, generationSetting, String(Math.max(generation, witnessed) + 1));
}

export async function findWentBack(reader: Reader): Promise<WentBack | null> {
  const text = await findSetting(reader, wentBackSetting);
  return text === null ? null : JSON.parse(text);
}

export async function recordWentBack(tx: Transaction, wentBack: WentBack): Promise<void> {
  await putSetting(tx, wentBackSetting, JSON.stringify(wentBack));
}

/** Deliveries one transaction holds: bounds how long others wait. */
const holdAtOnce = 500;

/** What may leave by itself: also what the `send-again` policy has waiting. */
const mayLeave = [
  "state = 'queued'",
  "state in ('sending', 'handoff', 'in_doubt') and state = 'sending'",
  "state in ('sending', 'handoff', 'in_doubt') and state = 'handoff'",
  `state in ('sending', 'handoff', 'in_doubt') and state = 'in_doubt' and run_at < ${never}`,
];

type Row = { account: string; email_id: string; part: number; attempt: number; recipients: string };

/**
 * Puts every open delivery in doubt until somebody decides, whatever the policy: it may have left, or been called off.
 * The attempt is bumped, so that a worker which holds one is fenced at its gate. Tells how many.
 */
export async function holdOpenDeliveries(database: Database, now: number, reason: string): Promise<number> {
  let held = 0;
  for (const condition of mayLeave) {
    for (;;) {
      const refs = await database.write((tx) => holdSome(tx, condition, now, reason));
      held += refs.length;
      if (refs.length < holdAtOnce) break;
    }
  }
  return held;
}

async function holdSome(tx: Transaction, condition: string, now: number, reason: string): Promise<DeliveryRef[]> {
  const rows = await tx.all<Row>(
    `select account, email_id, part, attempt, recipients from deliveries where ${condition} limit ? ${tx.skipLocked}`,
    holdAtOnce,
  );
  for (const { account, email_id, part, attempt, recipients } of rows) {
    await tx.run(
      `update deliveries set state = 'in_doubt', attempt = attempt + 1, worker = null, run_at = ?, reply = ?
       where account = ? and email_id = ? and part = ? and attempt = ?`,
      never,
      reason,
      account,
      email_id,
      part,
      attempt,
    );
    const detail = { recipients: JSON.parse(recipients), reply: reason, attempt, in_doubt: true };
    await appendEvent(tx, account, email_id, 'delivery_delayed', now, detail);
  }
  return rows.map((row) => ({ account: row.account, emailId: row.email_id, part: row.part }));
}
