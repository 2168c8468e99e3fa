/** Programs in other languages that write rows by plain SQL in transactions of their own, as far as this machine can run them. */

import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export type Language = {
  name: string;
  /** Why it cannot be run here; null where it can. */
  whyNot(engine: Engine): string | null;
  /** @throws Error with what it said where it fails. */
  write(engine: Engine, url: string, id: string): void;
};

type Engine = 'sqlite' | 'postgres';

const folder = fileURLToPath(new URL('../../../test/outbox/languages/', import.meta.url));

/** Debian's, with Debian's drivers: a Python from elsewhere has none for PostgreSQL. */
const python = scripted('Python', '/usr/bin/python3', 'row.py', {
  sqlite: ['-c', 'import sqlite3'],
  postgres: ['-c', 'import psycopg2'],
});
const ruby = scripted('Ruby', 'ruby', 'row.rb', { sqlite: ['-rsqlite3', '-e', '0'], postgres: ['-rpg', '-e', '0'] });
const php = scripted('PHP', 'php', 'row.php', {
  sqlite: ['-r', 'exit(extension_loaded("pdo_sqlite") ? 0 : 1);'],
  postgres: ['-r', 'exit(extension_loaded("pdo_pgsql") ? 0 : 1);'],
});

/** Compiled at first: that takes longer than all the others. */
const goEnvironment = { ...process.env, GO111MODULE: 'off', GOPATH: '/usr/share/gocode', GOFLAGS: '' };
const goDrivers = ['github.com/lib/pq', 'github.com/mattn/go-sqlite3'];

const go: Language = {
  name: 'Go',
  whyNot: () => reasonOf(spawnSync('go', ['list', ...goDrivers], { env: goEnvironment })),
  write: (engine, url, id) => run('go', ['run', 'row.go', engine, databaseOf(engine, url), id], goEnvironment),
};

export const quickLanguages: readonly Language[] = [python, ruby, php];
export const languages: readonly Language[] = [...quickLanguages, go];

function scripted(name: string, command: string, script: string, probes: Record<Engine, string[]>): Language {
  return {
    name,
    whyNot: (engine) => reasonOf(spawnSync(command, probes[engine])),
    write: (engine, url, id) => run(command, [script, engine, databaseOf(engine, url), id], process.env),
  };
}

function databaseOf(engine: Engine, url: string): string {
  return engine === 'sqlite' ? join(url.slice('sqlite:'.length)) : url;
}

function run(command: string, words: string[], env: NodeJS.ProcessEnv): void {
  const { status, error, stderr } = spawnSync(command, words, { cwd: folder, env });
  if (status !== 0) throw new Error(`${command} ${words[0]}: ${error?.message ?? stderr}`);
}

function reasonOf({ status, error, stderr }: ReturnType<typeof spawnSync>): string | null {
  if (status === 0) return null;
  return error?.message ?? (String(stderr).trim().split('\n')[0] || 'its driver is not there');
}
