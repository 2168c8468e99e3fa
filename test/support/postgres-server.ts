/** A real PostgreSQL for tests: its own data folder, a Unix socket instead of a port, gone with the process that started it. */

import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statfsSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import pg from 'pg';
import { backUp } from './postgres-backup.ts';
import { type PostgresUser, postgresFolder, postgresUser } from './postgres-files.ts';

export type PostgresServer = {
  /** The folder of its socket, `.s.PGSQL.5432`. */
  readonly folder: string;
  /** Makes a database of its own and tells its URL: an empty one, or a copy of one nobody is connected to. */
  createDatabase(like?: string): Promise<string>;
  /** The same URL leads to a copy of another database from now on. Nobody may be connected to either. */
  replaceDatabase(url: string, like: string): Promise<void>;
  /** Nobody will connect to it any more: it goes as soon as nobody is connected. */
  discardDatabase(url: string): void;
  /** A standby that follows it, whoever writes meanwhile. `name`: its own in `synchronous_standby_names`. */
  follow(name?: string): Promise<PostgresServer>;
  /** One statement of its administrator. */
  administer<R>(sql: string): Promise<R[]>;
  /** SIGKILL to all its processes at once: what they had in memory is gone. */
  kill(): Promise<void>;
  /** Starts again on the same data, and waits until it answers. */
  start(): Promise<void>;
  stop(): Promise<void>;
};

/** What keeps a test server small without weakening anything it promises. */
const settings = {
  listen_addresses: '',
  shared_buffers: '64MB',
  max_connections: '200',
  log_min_messages: 'panic',
};

export function startPostgres(more: Record<string, string> = {}, parent = tmpdir()): Promise<PostgresServer> {
  const owner = postgresUser();
  const initialized = initializedData(postgresFolder(owner), owner);
  return startOn(async (data) => cpSync(initialized, data, { recursive: true }), more, parent);
}

type Fill = (data: string) => Promise<void>;

async function startOn(fill: Fill, more: Record<string, string>, parent: string): Promise<PostgresServer> {
  const owner = postgresUser();
  const native = postgresFolder(owner);
  const folder = mkdtempSync(join(parent, 'sendonce-pg-'));
  const data = join(folder, 'data');
  await fill(data);
  handOver(folder, owner);
  chmodSync(data, 0o700);
  const flags = Object.entries({ ...settings, ...more, unix_socket_directories: folder });
  const command = [
    join(native, 'bin', 'postgres'),
    '-D',
    data,
    ...flags.flatMap(([name, is]) => ['-c', `${name}=${is}`]),
  ];
  const discarded = new Set<string>();
  let running: ChildProcess | null = null;
  let databases = 0;

  async function start(): Promise<void> {
    running = spawnBound(folder, command, owner);
    await answering(folder);
  }

  /** With a last word the data stays, without it goes. */
  async function stop(lastWord: string): Promise<void> {
    if (!running) return rmSync(folder, { recursive: true, force: true });
    running.ref();
    const ended = once(running, 'exit');
    running.stdin?.end(lastWord);
    await ended;
    running = null;
  }

  await start();
  return {
    folder,
    async createDatabase(like) {
      databases += 1;
      const name = `test${databases}`;
      await administer(folder, async (client) => {
        await dropUnused(client, discarded);
        // Small ones are copied faster as files.
        await client.query(`create database ${name} template ${like ? nameOf(like) : 'template0'} strategy file_copy`);
      });
      return databaseUrl(folder, name);
    },
    replaceDatabase: (url, like) =>
      administer(folder, async (client) => {
        await client.query(`drop database ${nameOf(url)}`);
        await client.query(`create database ${nameOf(url)} template ${nameOf(like)}`);
      }),
    discardDatabase: (url) => void discarded.add(nameOf(url)),
    follow(name = 'standby') {
      const fill: Fill = async (to) => {
        await administer(folder, (client) => backUp(client, data, to));
        becomeStandby(to, folder, name);
      };
      return startOn(fill, more, parent);
    },
    administer: <R>(sql: string) => administer(folder, async (client) => (await client.query(sql)).rows as R[]),
    async kill() {
      await killAll(data);
      await stop('keep\n');
    },
    start,
    stop: () => stop(''),
  };
}

function becomeStandby(data: string, primary: string, name: string): void {
  writeFileSync(join(data, 'standby.signal'), '');
  const way = `host=${primary} user=postgres application_name=${name}`;
  writeFileSync(join(data, 'postgresql.auto.conf'), `primary_conninfo = '${way}'\nwal_retrieve_retry_interval = 100\n`);
}

let shared: Promise<PostgresServer> | null = null;

/** One server for all tests of this process, started when first asked for; it ends with the process. */
export function sharedPostgres(): Promise<PostgresServer> {
  shared ??= startPostgres({ max_wal_size: '64MB' }, memoryFolder());
  return shared;
}

const memory = '/dev/shm';
const memoryBytesMin = 1024 ** 3;

/** No test pulls a plug, and on a disk the syncs of a new database take longer than most tests. */
export function memoryFolder(): string {
  if (!existsSync(memory)) return tmpdir();
  const { bavail, bsize } = statfsSync(memory);
  return bavail * bsize >= memoryBytesMin ? memory : tmpdir();
}

/** A test that stopped its server may have another one on the same database still. */
async function dropUnused(client: pg.Client, discarded: Set<string>): Promise<void> {
  const { rows } = await client.query<{ datname: string }>('select datname from pg_stat_activity');
  const used = new Set(rows.map(({ datname }) => datname));
  for (const name of discarded) {
    if (used.has(name)) continue;
    await client.query(`drop database ${name}`);
    discarded.delete(name);
  }
}

function databaseUrl(folder: string, name: string): string {
  return `postgres://postgres@/${name}?host=${encodeURIComponent(folder)}`;
}

function nameOf(url: string): string {
  return new URL(url.replace('@/', '@localhost/')).pathname.slice(1);
}

/** Made once and kept in the temporary folder: copying it takes a tenth of the time. */
function initializedData(native: string, owner: PostgresUser): string {
  const kept = join(tmpdir(), `${basename(native)}-data-${owner?.uid ?? process.getuid?.() ?? 'own'}`);
  if (existsSync(kept)) return kept;
  const half = mkdtempSync(`${kept}-`);
  handOver(half, owner);
  const flags = ['--username=postgres', '--auth=trust', '--encoding=UTF8', '--locale=C', '--no-sync'];
  execFileSync(join(native, 'bin', 'initdb'), ['-D', half, ...flags], { ...owner, cwd: '/', stdio: 'pipe' });
  try {
    renameSync(half, kept);
  } catch {
    // Another test process was faster.
    rmSync(half, { recursive: true, force: true });
  }
  return kept;
}

function handOver(folder: string, owner: PostgresUser): void {
  if (owner) execFileSync('chown', ['-R', `${owner.uid}:${owner.gid}`, folder]);
  chmodSync(folder, 0o755);
}

/** Ends with this process, whatever ends that: the shell between them reads a pipe that only this process holds open. */
function spawnBound(folder: string, command: string[], owner: PostgresUser): ChildProcess {
  const script = '"$@" < /dev/null & read -r word; kill -INT $! 2> /dev/null; wait $!; [ "$word" ] || rm -rf "$0"';
  const child = spawn('/bin/sh', ['-c', script, folder, ...command], {
    ...owner,
    cwd: '/',
    stdio: ['pipe', 'ignore', 'inherit'],
    env: { PATH: process.env.PATH ?? '', LC_ALL: 'C' },
  });
  // Nor does it keep this process from ending.
  child.unref();
  (child.stdin as unknown as { unref(): void }).unref();
  return child;
}

const startTimeoutMs = 60_000;

async function answering(folder: string): Promise<void> {
  const giveUpAt = performance.now() + startTimeoutMs;
  for (;;) {
    try {
      return void (await administer(folder, (client) => client.query('select 1')));
    } catch (error) {
      if (performance.now() > giveUpAt) throw error;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

async function administer<R>(folder: string, work: (client: pg.Client) => Promise<R>): Promise<R> {
  const client = new pg.Client({ connectionString: databaseUrl(folder, 'postgres') });
  client.on('error', () => {});
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

/** A server and all its processes, by its data folder. */
export async function killAll(data: string): Promise<void> {
  const postmaster = Number(readFileSync(join(data, 'postmaster.pid'), 'utf8').split('\n')[0]);
  const children = readFileSync(`/proc/${postmaster}/task/${postmaster}/children`, 'utf8').split(' ').filter(Boolean);
  const all = [postmaster, ...children.map(Number)];
  for (const pid of all) killIfThere(pid);
  while (all.some(isRunning)) await new Promise((resolve) => setTimeout(resolve, 5));
}

/** A session that was just ending has ended by now. */
function killIfThere(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/** A zombie waits only for somebody to read its exit status. */
function isRunning(pid: number): boolean {
  try {
    return !/\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}
