/** What a server of the property stands on. At a crash it is taken as it is: what the dead one does to the old ground counts no more. */

import { copyFileSync, cpSync, mkdirSync, statSync, truncateSync } from 'node:fs';
import Sqlite from 'better-sqlite3';
import { Connection } from '../../src/store/engine/postgres/connection.ts';
import { deadAfterMs } from '../../src/store/workers.ts';
import { discardDatabase, newMigratedUrl } from '../support/engine.ts';
import { startPostgresProxy } from '../support/postgres-proxy.ts';
import { sharedPostgres } from '../support/postgres-server.ts';
import type { Temp } from '../support/temp.ts';

export type Ground = {
  readonly environment: { DATABASE_URL: string; STATE_DIR: string };
  /** How long it takes until what a dead process had is taken over; 0: the next start does it. */
  readonly takeOverMs: number;
  /** A server has started on it. */
  started(): void;
  /** As a process leaves it that dies now; or with a disk that forgets what was written since the start. */
  taken(losesLog: boolean): Promise<Ground>;
  read<R>(sql: string, ...params: string[]): Promise<R[]>;
  leave(): Promise<void>;
};

export async function createGround(temp: Temp): Promise<Ground> {
  const url = await newMigratedUrl(temp);
  const stateDir = temp.path('state');
  mkdirSync(stateDir);
  return url.startsWith('sqlite:') ? fileGround(url.slice('sqlite:'.length), stateDir) : databaseGround(url, stateDir);
}

/** A process that is gone says so nowhere: the state beside the database stays as it was, too. */
function copyState(stateDir: string): string {
  const copy = `${stateDir}+`;
  cpSync(stateDir, copy, { recursive: true });
  return copy;
}

function fileGround(path: string, stateDir: string): Ground {
  let logBytes = 0;
  return {
    environment: { DATABASE_URL: `sqlite:${path}`, STATE_DIR: stateDir },
    takeOverMs: 0,
    started() {
      logBytes = statSync(`${path}-wal`).size;
    },
    async taken(losesLog) {
      const copy = `${path}+`;
      copyFileSync(path, copy);
      copyFileSync(`${path}-wal`, `${copy}-wal`);
      if (losesLog) truncateSync(`${copy}-wal`, logBytes);
      return fileGround(copy, copyState(stateDir));
    },
    async read<R>(sql: string, ...params: string[]) {
      const connection = new Sqlite(path, { readonly: true });
      try {
        return connection.prepare(sql).all(...params) as R[];
      } finally {
        connection.close();
      }
    },
    async leave() {},
  };
}

/** So long nobody beats before a process is taken for dead, and the others beat a few times themselves. */
const takeOverMs = deadAfterMs + 5_000;

async function databaseGround(url: string, stateDir: string): Promise<Ground> {
  const proxy = await startPostgresProxy(url);
  const reader = await Connection.open({ url, name: 'the property', silenceMs: null });
  return {
    environment: { DATABASE_URL: proxy.url, STATE_DIR: stateDir },
    takeOverMs,
    started() {},
    async taken() {
      proxy.setDown(true);
      await reader.close();
      const copy = await (await sharedPostgres()).createDatabase(url);
      const taken = await databaseGround(copy, copyState(stateDir));
      // The dead one may go on with the old one, and come to its end there.
      proxy.setDown(false);
      return taken;
    },
    read: async <R>(sql: string, ...params: string[]) => (await reader.query<R>(sql, params)).rows,
    async leave() {
      if (!reader.isBroken) await reader.close();
      await proxy.close();
      await discardDatabase(url);
    },
  };
}
