/** A backup made under load and put back after a kill, again and again: whatever it takes for open is held. */

import { copyFileSync, readdirSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import Sqlite from 'better-sqlite3';
import { deliveriesIn, sqliteBooks } from './books.ts';
import { Life } from './life.ts';
import { pause } from './load.ts';
import { createMoods } from './moods.ts';
import type { Row } from './row.ts';
import type { thoughtful } from './world.ts';

export type RestoreOptions = {
  times: number;
  seed: number;
  onProgress?: (text: string) => void;
  /** The control: the witness is gone, and with it the guard. */
  losesWitness?: boolean;
};

const fault = 'backup put back';

/** Longer than the witness is behind: once a second it is written. */
const forwardMs = 1_500;

export async function restoreAgainAndAgain(options: RestoreOptions): Promise<Row> {
  const { times, seed, onProgress, losesWitness = false } = options;
  const row: Row = { fault, runs: times, mails: 0, duplicates: 0, lost: 0, held: 0, explained: 0, violations: [] };
  for (let time = 1; time <= times; time++) {
    onProgress?.(`${fault}: ${time} of ${times}`);
    await restoreOnce(row, seed + time, losesWitness);
  }
  return row;
}

async function restoreOnce(row: Row, seed: number, losesWitness: boolean): Promise<void> {
  const life = await Life.start({ seed, moods: slow });
  try {
    life.begin();
    const program = await life.up();
    await life.load.answeredMore(60);
    const copy = `${life.databasePath}.copy`;
    await backUp(life.databasePath, copy);
    const open = await deliveriesIn(sqliteBooks(copy), 'queued', 'sending', 'handoff');
    if (open.length === 0) row.violations.push('nothing was open in the copy: it proves nothing');
    await pause(forwardMs);
    life.load.abandon();
    await life.kill(program);
    putBack(life.databasePath, copy);
    if (losesWitness) removeWitness(life.databasePath);
    const left = life.relay.transactions.length;
    const restored = await life.up();
    // Three polls: whatever could leave would have by then.
    await pause(3_000);
    if (!restored.words().includes('THE DATABASE WENT BACK IN TIME')) row.violations.push('the log says nothing');
    const inDoubt = await deliveriesIn(life.books, 'in_doubt');
    const copies = life.relay.transactions.length - left;
    if (copies > 0) row.violations.push(`${copies} left from a database that went back in time`);
    const forgotten = open.filter((id) => !inDoubt.includes(id));
    if (forgotten.length > 0) row.violations.push(`${forgotten} was open in the copy, and is not held`);
    row.mails += open.length;
    row.duplicates += copies;
    row.lost += forgotten.length;
    row.held += inDoubt.length;
    row.explained += inDoubt.filter((id) => open.includes(id)).length;
  } finally {
    await life.destroy();
  }
}

/** So that something is always open. */
const slow: typeof thoughtful = (thinking) => createMoods(thinking).filter(({ name }) => name === 'thinks');

async function backUp(databasePath: string, copy: string): Promise<void> {
  const connection = new Sqlite(databasePath, { readonly: true });
  await connection.backup(copy);
  connection.close();
}

function removeWitness(databasePath: string): void {
  const folder = dirname(databasePath);
  for (const name of readdirSync(folder)) if (name.endsWith('.witness')) rmSync(join(folder, name));
}

function putBack(databasePath: string, copy: string): void {
  for (const end of ['', '-wal', '-shm']) rmSync(`${databasePath}${end}`, { force: true });
  copyFileSync(copy, databasePath);
}
