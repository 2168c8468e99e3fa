/** What `sendonce doctor` says of the clock: keys, schedules and signatures go by it. */

import type { Database } from '../../store/database.ts';
import { type Finding, fail, ok } from './finding.ts';

/** Less is what two machines differ by, or what a busy one takes to answer. */
const offMsMax = 60_000;

/** Against the last thing that happened, which was not in the future; on PostgreSQL against the clock all processes go by. */
export async function checkClock(database: Database): Promise<Finding[]> {
  const [last] = await database.all<{ at: number }>('select at from events order by id desc limit 1');
  const behindMs = Math.max((last?.at ?? 0) - database.wall(), Math.abs(database.wall() - Date.now()));
  if (behindMs <= offMsMax) return [ok(`the clock says ${new Date().toISOString()}, and nothing speaks against it`)];
  const minutes = Math.round(behindMs / 60_000);
  return [
    fail(
      `the clock of this machine says ${new Date().toISOString()}: the database is ${minutes} min away from that. Set it (NTP): scheduled mail, keys and DKIM signatures go by it`,
    ),
  ];
}
