/** How the server is: whether its database answers, and takes what is written, asked with little patience, whatever asks, and however often. */

import type { Config } from '../config/config.ts';
import { patiently } from '../core/patience.ts';
import type { Health } from '../http/watch.ts';
import { log } from '../log.ts';
import type { Database } from '../store/database.ts';
import type { Hang } from '../store/engine/postgres/watch.ts';

export function createPulse(database: Database, patienceMs: number): () => Promise<boolean> {
  const ask = patiently(patienceMs, () => answers(database));
  return async () => (await ask()) ?? false;
}

/**
 * A row of a table: without one SQLite would not look into its file. PostgreSQL may answer reads for as long as it likes while
 * nothing can be accepted: there a commit is waited for.
 */
async function answers(database: Database): Promise<boolean> {
  try {
    await database.all('select id from accounts limit 1');
    if (database.engine === 'postgres') await database.write(async () => null, { about: 'pulse' });
    return true;
  } catch {
    return false;
  }
}

/** Whether commits hang, for all who say so. */
export class Hangs {
  #now: Hang | null = null;

  get now(): Hang | null {
    return this.#now;
  }

  readonly tell = (hang: Hang | null): void => {
    this.#now = hang;
    if (hang) log.commitsHang(hang.cause);
    else log.commitsGoOn();
  };
}

type HealthOptions = {
  database: Database;
  pulse: () => Promise<boolean>;
  hangs: Hangs;
  relay: () => string;
  durable: boolean;
};

/** What `/healthz` says. */
export function healthOf(config: Config, { database, pulse, hangs, relay, durable }: HealthOptions): Health {
  return async () => ({
    status: (await pulse()) ? 'ok' : 'unavailable',
    ...(hangs.now ? { commits_hang: hangs.now.cause } : {}),
    database: database.engine,
    durable,
    relay: relay(),
    role: config.role,
    in_doubt_policy: config.inDoubt,
  });
}
