/** `sendonce recipient erase`: everything that is kept of one person is forgotten, down to the bytes of the file. */

import { setTimeout as wait } from 'node:timers/promises';
import type { Config } from '../../config/config.ts';
import { acquireServingLock, type ServingLock } from '../../store/engine/sqlite/lock.ts';
import { sizeOf, writeAnew } from '../../store/engine/sqlite/scrub.ts';
import { askForEmptyLog, isEmptyLogAsked } from '../../use-cases/empty-log.ts';
import { type Erased, eraseRecipient } from '../../use-cases/erase-recipient.ts';
import { CommandError, withDatabase } from '../terminal.ts';

/** Beside a server a file up to this size is written anew: nobody can send for the second or two that this takes. */
const besideBytesMax = 256 * 1024 * 1024;

/** A server is asked each second, and may have somebody reading in its log. */
const logPatienceMs = 20_000;

export async function erase(config: Config, person: string): Promise<void> {
  const erased = await withDatabase(config, { create: false }, (database) =>
    eraseRecipient(database, person, database.wall()),
  );
  console.log(described(erased));
  console.log(await scrub(config));
  console.log('Backups and copies made before still have it, and so do the relay and whoever was told by webhooks.');
  if (erased.open.length > 0) throw new CommandError(leftOpen(erased.open));
}

function described({ emails, contacts, suppressions }: Erased): string {
  const kept = suppressions === 0 ? '' : ' What was suppressed stays so, under a hash.';
  return `Erased: ${emails} emails, ${contacts} contacts, ${suppressions} suppressions.${kept}`;
}

const shownMax = 5;

function leftOpen(ids: string[]): string {
  const shown = ids.slice(0, shownMax).join(', ');
  const more = ids.length > shownMax ? ` and ${ids.length - shownMax} more` : '';
  return `Not erased, for they are not settled: ${shown}${more}. Cancel them or settle them (sendonce queue), and run this again.`;
}

/** Tells what is left of what was deleted. */
async function scrub(config: Config): Promise<string> {
  if (config.database.engine === 'postgres') {
    return 'PostgreSQL keeps old rows until it has vacuumed, and its log for as long as you say: `vacuum (full, analyze)` ends them at once, and locks each table meanwhile.';
  }
  const { path } = config.database;
  const lock = lockUnlessServed(path);
  if (!lock && sizeOf(path) > besideBytesMax) {
    return `${path} is too large to be written anew beside a server: its free pages and its log still have what was deleted. Run this again while no server runs.`;
  }
  try {
    writeAnew(path);
  } finally {
    lock?.release();
  }
  if (lock || (await isLogEmptied(config))) return 'Its free pages and its log are gone, too.';
  return `The server has not emptied ${path}-wal yet: it does so as soon as nobody reads in it.`;
}

function lockUnlessServed(path: string): ServingLock | null {
  try {
    return acquireServingLock(path, 0);
  } catch {
    return null;
  }
}

/** Looked at from outside, for whoever has the database open reads in the log. */
async function isLogEmptied(config: Config): Promise<boolean> {
  const beside = { create: false };
  await withDatabase(config, beside, askForEmptyLog);
  for (const giveUpAt = performance.now() + logPatienceMs; performance.now() < giveUpAt; ) {
    await wait(200);
    if (!(await withDatabase(config, beside, (database) => isEmptyLogAsked(database)))) return true;
  }
  return false;
}
