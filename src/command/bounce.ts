/** `sendonce bounce < mail`: takes what came back from a pipe transport; and shows what matched nothing. */

import { buffer } from 'node:stream/consumers';
import type { Config } from '../config/config.ts';
import { createReturnPaths } from '../core/return-path.ts';
import { readReport } from '../evidence/read-report.ts';
import { openSecrets } from '../process/secret-key.ts';
import type { Database } from '../store/database.ts';
import { findStrayBytes, listStrays } from '../store/stray-notices.ts';
import { createTakeReport, type TakenReport } from '../use-cases/take-report.ts';
import { CommandError, printable, relativeTime, table, withDatabase } from './terminal.ts';
import { UsageError } from './usage.ts';

const usage = `Usage: sendonce bounce [RECIPIENT] < MAIL
       sendonce bounce list
       sendonce bounce show ID`;

const shownMax = 100;

export async function bounce(config: Config, operands: string[]): Promise<void> {
  const [action, id, ...rest] = operands;
  if (action === 'list' || action === 'show') {
    if (rest.length > 0 || (action === 'show' && !/^\d{1,15}$/.test(id ?? ''))) throw new UsageError(usage);
    return withDatabase(config, { create: false }, (database) =>
      action === 'list' ? list(database) : show(database, Number(id)),
    );
  }
  if (id !== undefined || (action !== undefined && !action.includes('@'))) throw new UsageError(usage);
  const bytes = await buffer(process.stdin);
  const taken = await withDatabase(config, { create: false }, (database) =>
    take(database, config, { bytes, recipient: action ?? null }),
  );
  console.log(wordsOf(taken));
}

async function take(database: Database, config: Config, mail: { bytes: Uint8Array; recipient: string | null }) {
  const returnPaths = createReturnPaths(await openSecrets(database, config), config);
  const takeReport = createTakeReport({
    database,
    clock: { now: () => database.wall() },
    returnPaths,
    onTaken: () => {},
  });
  return takeReport(readReport(mail.bytes), { by: 'pipe', ...mail });
}

function wordsOf({ notices, stray }: TakenReport): string {
  if (stray !== null) return `It matches nothing (${reasons[stray]}), and is kept for a while: sendonce bounce list.`;
  return notices.map(({ kind, noted }) => `${kind}: ${noted === 'told' ? 'told' : 'nothing new'}`).join('\n');
}

const reasons = { not_ours: 'no MAC of ours', unreadable: 'no notice', nobody: 'no recipient of the mail' };

async function list(database: Database): Promise<void> {
  const strays = await listStrays(database, shownMax);
  if (strays.length === 0) return console.log('Nothing that came back matched nothing.');
  const now = database.wall();
  const rows = strays.map(({ id, at, cameBy, why, recipient, sender, subject }) => [
    String(id),
    relativeTime(at, now),
    cameBy,
    reasons[why],
    printable((recipient ?? '').slice(0, 80)),
    printable(sender.slice(0, 60)),
    printable(subject.slice(0, 60)),
  ]);
  console.log(table(['ID', 'CAME', 'BY', 'WHY', 'TO', 'FROM', 'SUBJECT'], rows));
}

async function show(database: Database, id: number): Promise<void> {
  const bytes = await findStrayBytes(database, id);
  if (!bytes) throw new CommandError(`There is no ${id}: sendonce bounce list shows what there is.`);
  // Whatever a stranger wrote must not move the cursor.
  console.log(Buffer.from(bytes).toString('utf8').split(/\r?\n/).map(printable).join('\n'));
}
