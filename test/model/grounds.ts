/** Where programs run: one empty database of each engine for all of them. */

import type { Database } from '../../src/store/database.ts';
import { openSqlite } from '../../src/store/engine/sqlite/sqlite.ts';
import { openDatabase } from '../support/engine.ts';
import { sharedPostgres } from '../support/postgres-server.ts';
import { createTemp } from '../support/temp.ts';

export type Grounds = { databases: Record<string, Database>; sqlite: Database; close(): Promise<void> };

export async function openGrounds(): Promise<Grounds> {
  const temp = createTemp();
  // Nobody cuts the power here, and half of the time would go into syncs.
  const sqlite = openSqlite({
    path: temp.path('model.db'),
    sync: async () => {},
    onUnknownCommit: (cause) => {
      throw cause;
    },
  });
  const postgres = await openDatabase(await (await sharedPostgres()).createDatabase());
  return {
    databases: { SQLite: sqlite, PostgreSQL: postgres },
    sqlite,
    async close() {
      await postgres.close();
      await sqlite.close();
      temp.remove();
    },
  };
}
