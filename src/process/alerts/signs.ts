/** What a process can see of the troubles an operator is called for: in the database, on its disk, and at the relay. */

import { existsSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import type { Trouble } from '../../core/alert.ts';
import type { Clock } from '../../core/clock.ts';
import type { Database } from '../../store/database.ts';
import { countOpen } from '../../store/mail/open.ts';
import { findFailing } from '../../store/mailboxes.ts';
import { findLongestDue } from '../../store/page/overview.ts';
import { countPaused } from '../../store/pauses.ts';
import { listReports } from '../../store/relays.ts';
import { countGivenUp } from '../../store/webhooks/history.ts';
import { findHeldBack } from '../../store/went-back.ts';

const minuteMs = 60_000;
const megabyte = 1024 * 1024;

/** Due longer than this: a busy queue empties in seconds, and a claim that died is taken back in a minute. */
const lateMs = 5 * minuteMs;

/** Under this the next burst of attachments may fill the disk; `doctor` says the same. */
export const freeBytesMin = 500 * megabyte;

/** A mail server that starts again is back within them. */
const unreadMs = 5 * minuteMs;
/** Longer than the pause after a login that was refused: who does not try any more says nothing of a mailbox. */
const triedWithinMs = 10 * minuteMs;

export type SignsOptions = { database: Database; clock: Clock; folder: string };

/** How long due mail has waited, for metrics. */
export async function lateness(database: Database, now: number): Promise<number> {
  const due = await findLongestDue(database);
  return due === null ? 0 : Math.max(0, now - due);
}

export async function findTroubles({ database, clock, folder }: SignsOptions): Promise<Trouble[]> {
  const now = clock.now();
  const [{ in_doubt }, heldBack, lateForMs, free, givenUp, restsForMs, paused, unreadForMs] = await Promise.all([
    countOpen(database),
    findHeldBack(database),
    lateness(database, now),
    freeBytes(folder),
    countGivenUp(database),
    longestRest(database, now),
    countPaused(database),
    longestUnread(database, now),
  ]);
  const found: (Trouble | null)[] = [
    // A restore is told once: what it holds is answered in the same place as all other doubts.
    in_doubt === 0 ? null : { name: 'in_doubt', figure: in_doubt, isOnlyKept: heldBack !== null },
    heldBack === null ? null : { name: 'went_back', figure: heldBack },
    // Held up by its relay, it is not called twice.
    lateForMs < lateMs ? null : { name: 'late', figure: minutes(lateForMs) },
    free >= freeBytesMin ? null : { name: 'disk_fills', figure: Math.round(free / megabyte) },
    givenUp === 0 ? null : { name: 'webhooks_give_up', figure: givenUp },
    paused === 0 ? null : { name: 'account_paused', figure: paused },
    unreadForMs < unreadMs ? null : { name: 'mailbox_unread', figure: minutes(unreadForMs) },
    restsForMs < minuteMs ? null : { name: 'relay_rests', figure: minutes(restsForMs) },
  ];
  return found.filter((one) => one !== null);
}

/** Of whatever relay, in whatever process: how long it has not been reached. */
async function longestRest(database: Database, now: number): Promise<number> {
  const reports = await listReports(database, { engine: database.engine, now });
  const since = reports.filter(({ state }) => state === 'resting').map((one) => one.since);
  return since.length === 0 ? 0 : now - Math.min(...since);
}

async function longestUnread(database: Database, now: number): Promise<number> {
  const since = await findFailing(database, now - triedWithinMs);
  return since === null ? 0 : now - since;
}

function minutes(ms: number): number {
  return Math.round(ms / minuteMs);
}

export async function freeBytes(folder: string): Promise<number> {
  const { bavail, bsize } = await statfs(existsSync(folder) ? folder : '.');
  return bavail * bsize;
}
