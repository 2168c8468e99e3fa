/** A backup of a test server's database, and how it is put back: the database goes back in time. */

import { copyFileSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import Sqlite from 'better-sqlite3';
import { sharedPostgres } from './postgres-server.ts';
import type { TestServer } from './server.ts';

export type Backup = {
  /** While the server is stopped. */
  putBack(): Promise<void>;
  /** As where only the database was restored. */
  removeWitness(): void;
};

export async function backUp(server: TestServer): Promise<Backup> {
  const putBack = server.databaseUrl.startsWith('sqlite:') ? await copyFile(server) : await copyDatabase(server);
  const removeWitness = () => {
    const names = readdirSync(server.stateDir).filter((name) => name.endsWith('.witness'));
    for (const name of names) rmSync(join(server.stateDir, name));
  };
  return { putBack, removeWitness };
}

async function copyFile(server: TestServer): Promise<Backup['putBack']> {
  const path = server.databaseUrl.slice('sqlite:'.length);
  const connection = new Sqlite(path, { readonly: true });
  await connection.backup(`${path}.copy`);
  connection.close();
  return async () => {
    for (const end of ['', '-wal', '-shm']) rmSync(`${path}${end}`, { force: true });
    copyFileSync(`${path}.copy`, path);
  };
}

/** The package brings no pg_dump, and a database is copied whole only while nobody is connected to it. */
async function copyDatabase(server: TestServer): Promise<Backup['putBack']> {
  const postgres = await sharedPostgres();
  let copy = '';
  await server.restart(async () => {
    copy = await postgres.createDatabase(server.databaseUrl);
  });
  return () => postgres.replaceDatabase(server.databaseUrl, copy);
}
