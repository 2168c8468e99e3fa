/** Applies the numbered SQL files of `migrations/` in order, once each. */

import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Database, Reader } from './database.ts';
import { isAnyAlive } from './workers.ts';

const folder = fileURLToPath(new URL('./migrations/', import.meta.url));

/** What `{{word}}` in a migration stands for on each engine. */
const dialects = {
  // Clustered: small rows in the tree of their primary key, instead of a table and an index beside it.
  sqlite: { bytes: 'blob', serial: 'integer primary key', clustered: 'without rowid' },
  postgres: { bytes: 'bytea', serial: 'bigint generated always as identity primary key', clustered: '' },
} as const;

type Migration = { version: number; name: string; statements: string[] };

export type MigrateOptions = {
  /** How long processes of an older version are waited for. */
  servedMsMax?: number;
  /** Told once, when they are. */
  onWait?: () => void;
};

/** A process that was killed counts as dead after a quarter of it. */
const servedMsMaxUsual = 60_000;
const lookEveryMs = 500;

/**
 * Brings the schema up to date and tells which migrations ran.
 * @throws Error when the database was written by a newer program, or when an older one goes on serving it: that would not see what
 * the newer one adds, and send what it does not understand.
 */
export async function migrate(database: Database, options: MigrateOptions = {}): Promise<string[]> {
  const { servedMsMax = servedMsMaxUsual, onWait = () => {} } = options;
  const known = readMigrations(database.engine);
  const giveUpAt = performance.now() + servedMsMax;
  for (let looks = 0; ; looks += 1) {
    const ran = await apply(database, known).catch((error: unknown) => {
      throw explained(error);
    });
    if (ran !== null) return ran;
    if (performance.now() >= giveUpAt) throw new Error(servedByOlder);
    if (looks === 0) onWait();
    await pause(lookEveryMs);
  }
}

const servedByOlder =
  'Processes of an older version serve this database: stop all of them, then start this one, which brings the schema up to date.';

/** @throws Error when a newer program has been here since. */
export async function refuseOutdated(database: Database): Promise<void> {
  const newer = await findNewer(database);
  if (newer !== null) throw new Error(newer);
}

/** The sentence that says so; null: none has. */
export async function findNewer(database: Database): Promise<string | null> {
  return newerThan(await appliedOf(database), readMigrations(database.engine));
}

/** Null: somebody serves the database as it is. */
function apply(database: Database, known: Migration[]): Promise<string[] | null> {
  return database.write(async (tx) => {
    for (const statement of locks[database.engine]) await tx.run(statement);
    await tx.run('create table if not exists migrations (version bigint primary key, name text not null)');
    const applied = await appliedOf(tx);
    const newer = newerThan(applied, known);
    if (newer !== null) throw new Error(newer);
    const pending = known.filter((migration) => !applied.has(migration.version));
    const mayBeServed = database.engine === 'postgres' && applied.size > 0 && pending.length > 0;
    if (mayBeServed && (await isAnyAlive(tx, database.wall()))) return null;
    for (const migration of pending) {
      for (const statement of migration.statements) await tx.run(statement);
      await tx.run('insert into migrations (version, name) values (?, ?)', migration.version, migration.name);
    }
    return pending.map((migration) => migration.name);
  }, patiently);
}

async function appliedOf(reader: Reader): Promise<Set<number>> {
  const rows = await reader.all<{ version: number }>('select version from migrations');
  return new Set(rows.map((row) => row.version));
}

/** PostgreSQL's appendix A: insufficient_privilege. Since 15 only a database's owner makes tables in its schema `public`. */
const insufficientPrivilege = '42501';

/** A database made by somebody else than the role that serves it is the first mistake on PostgreSQL. */
function explained(error: unknown): unknown {
  if (!(error instanceof Error) || (error as { code?: string }).code !== insufficientPrivilege) return error;
  return new Error(
    `${error.message}: the role in DATABASE_URL must own the database. As its administrator: alter database NAME owner to ROLE (or make it with createdb -O ROLE NAME).`,
    { cause: error },
  );
}

const patiently = { patient: true };

/** Of processes that start at once, one migrates and the others wait for it. Where there is one writer, nobody else can. */
const locks = {
  sqlite: [],
  // Any number that nothing else takes: "Sendonce" in ASCII, and held until the transaction ends.
  postgres: ['select pg_advisory_xact_lock(6008201938405483365)'],
} as const;

function newerThan(applied: Set<number>, known: Migration[]): string | null {
  const newest = Math.max(0, ...known.map((migration) => migration.version));
  const unknown = [...applied].filter((version) => version > newest);
  if (unknown.length === 0) return null;
  return `The database has schema version ${Math.max(...unknown)}, this program knows ${newest}: run the newer program again, or restore a backup.`;
}

function readMigrations(engine: Database['engine']): Migration[] {
  const words = dialects[engine];
  return readdirSync(folder)
    .filter((name) => isFor(engine, name))
    .sort()
    .map((name) => {
      const text = readFileSync(`${folder}${name}`, 'utf8')
        .replace(/^--.*$/gm, '')
        .replace(/\{\{(\w+)\}\}/g, (_, word: keyof typeof words) => words[word]);
      const statements = text
        .split(';')
        .map((statement) => statement.trim())
        .filter((statement) => statement !== '');
      return { version: Number.parseInt(name, 10), name, statements };
    });
}

/** `0001-name.sql` is for every engine, `0002-name.postgres.sql` for one. */
function isFor(engine: Database['engine'], name: string): boolean {
  return /^[^.]+\.sql$/.test(name) || name.endsWith(`.${engine}.sql`);
}
