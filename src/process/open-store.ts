/** The database a server stands on, its files closed to others, and the clock that all of its processes share. */

import type { Config } from '../config/config.ts';
import { log } from '../log.ts';
import { rewriteLog } from '../store/engine/sqlite/log.ts';
import { createArrivals } from './arrivals.ts';
import { Hangs } from './health.ts';
import { openServed } from './open-database.ts';
import type { Outside } from './outside.ts';
import { closeToOthers } from './own-files.ts';
import type { Parts } from './parts.ts';
import { makeStateDir } from './state-dir.ts';

export async function openStore(config: Config, outside: Outside, parts: Parts) {
  makeStateDir(config.stateDir);
  closeFiles(config);
  const arrivals = createArrivals();
  const hangs = new Hangs();
  const { database: own, release } = await openServed(config.database, {
    onArrival: outside.onArrival ?? arrivals.judge,
    onHang: hangs.tell,
    sync: outside.sync,
    assumeLostCommits: outside.assumeLostCommits,
    onUnknownCommit: (error) => {
      log.commitUnknown(error);
      outside.die();
    },
  });
  parts.opened(release);
  const database = outside.database?.(own) ?? own;
  parts.opened(() => database.close());
  if (config.database.engine === 'sqlite' && !outside.trustsLog) rewriteLog(config.database.path);
  const clock = typeof outside.clock === 'function' ? outside.clock(() => database.wall()) : outside.clock;
  return { database, clock, arrivals, hangs };
}

function closeFiles(config: Config): void {
  const { closed, left } = closeToOthers(config);
  if (closed.length > 0) log.closedToOthers(closed);
  if (left.length > 0) log.openToOthers(left);
}
