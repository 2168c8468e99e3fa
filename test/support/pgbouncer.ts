/** A real PgBouncer between tests and their PostgreSQL, configured by the excerpt in docs/operations.md. */

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, chownSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { postgresUser } from './postgres-files.ts';

export type PgBouncer = {
  /** The same database, through the pool. */
  through(databaseUrl: string): string;
  /** SIGKILL: whatever it was passing on stays where it is. */
  kill(): Promise<void>;
  /** Starts again where it was killed, and waits until it answers. */
  start(): Promise<void>;
  stop(): Promise<void>;
};

export type PgBouncerOptions = {
  /** The folder of PostgreSQL's socket. */
  server: string;
  /** Instead of what the documentation says. */
  settings: Record<string, string | number>;
};

const operations = fileURLToPath(new URL('../../../docs/operations.md', import.meta.url));

/** Debian keeps it where only root's PATH looks. */
const path = [process.env.PATH, '/usr/sbin', '/usr/local/sbin'].join(delimiter);

/** Null where there is none. */
export function pgBouncerVersion(): string | null {
  const { status, stdout } = spawnSync('pgbouncer', ['--version'], { encoding: 'utf8', env: { PATH: path } });
  return status === 0 ? (/^PgBouncer (\S+)/.exec(stdout)?.[1] ?? null) : null;
}

export async function startPgBouncer(options: PgBouncerOptions): Promise<PgBouncer> {
  const owner = postgresUser();
  const folder = mkdtempSync(join(tmpdir(), 'sendonce-pool-'));
  chmodSync(folder, 0o755);
  writeFileSync(join(folder, 'pgbouncer.ini'), settingsText(folder, options));
  writeFileSync(join(folder, 'users.txt'), '"postgres" ""\n');
  if (owner) chownSync(folder, owner.uid, owner.gid);
  let running: ChildProcess | null = null;

  async function end(signal: NodeJS.Signals): Promise<void> {
    if (!running) return;
    const ended = once(running, 'exit');
    running.kill(signal);
    await ended;
    running = null;
  }

  async function start(): Promise<void> {
    if (running) return;
    running = spawn('pgbouncer', ['-q', join(folder, 'pgbouncer.ini')], {
      ...owner,
      cwd: '/',
      stdio: 'ignore',
      env: { PATH: path },
    });
    await answering(running, folder);
  }

  await start();
  // Whatever ends the tests ends it too.
  const atExit = () => void running?.kill('SIGKILL');
  process.on('exit', atExit);
  return {
    through: (databaseUrl) => databaseUrl.replace(/host=[^&]*/, `host=${encodeURIComponent(folder)}`),
    kill: () => end('SIGKILL'),
    start,
    async stop() {
      await end('SIGKILL');
      process.off('exit', atExit);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** As documented, but for where it listens, who may come in, and what a test wants smaller. */
function settingsText(folder: string, { server, settings }: PgBouncerOptions): string {
  const documented = /```ini\n(\[databases\][\s\S]*?)```/.exec(readFileSync(operations, 'utf8'))?.[1];
  if (!documented) throw new Error('docs/operations.md shows no settings of PgBouncer');
  const own = {
    listen_addr: '',
    // Names the socket, `.s.PGSQL.5432`.
    listen_port: 5432,
    unix_socket_dir: folder,
    auth_type: 'trust',
    auth_file: join(folder, 'users.txt'),
    // Lets `answering` in.
    stats_users: 'postgres',
    ...settings,
  };
  const lines = Object.entries(own).map(([name, is]) => `${name} = ${is}`);
  return `${documented}\n${lines.join('\n')}\n\n[databases]\n* = host=${server} port=5432\n`;
}

const startTimeoutMs = 30_000;

async function answering(child: ChildProcess, folder: string): Promise<void> {
  const giveUpAt = performance.now() + startTimeoutMs;
  for (;;) {
    if (child.exitCode !== null) throw new Error(`PgBouncer ended with ${child.exitCode}: see ${folder}/pgbouncer.ini`);
    const client = new pg.Client({ host: folder, user: 'postgres', database: 'pgbouncer' });
    client.on('error', () => {});
    try {
      await client.connect();
      return await client.end();
    } catch (error) {
      if (performance.now() > giveUpAt) throw error;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }
}
