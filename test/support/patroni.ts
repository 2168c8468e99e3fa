/** Three PostgreSQL servers led by Debian's Patroni, with etcd beside them, and HAProxy before them as docs/operations.md has it. */

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import net from 'node:net';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { postgresUser } from './postgres-files.ts';
import { killAll, memoryFolder } from './postgres-server.ts';
import { until } from './standbys.ts';

export type PatroniCluster = {
  /** Of an empty database, through HAProxy. */
  readonly url: string;
  /** Who leads, with a synchronous standby beside it; null while nobody does. */
  leader(): Promise<string | null>;
  /** SIGKILL to a server and its Patroni: the machine is gone. */
  kill(name: string): Promise<void>;
  /** The machine is back. */
  start(name: string): void;
  stop(): Promise<void>;
};

const names = ['a', 'b', 'c'] as const;
/** Debian's own: other Pythons do not know Patroni. */
const patroni = '/usr/bin/patroni';
const versions = '/usr/lib/postgresql';
const operations = fileURLToPath(new URL('../../../docs/operations.md', import.meta.url));
/** Debian keeps HAProxy where only root's PATH looks. */
const path = [process.env.PATH, '/usr/sbin'].join(delimiter);

const upMs = 120_000;

/** Null where all is there. */
export function whyNoPatroni(): string | null {
  const missing = [
    ...(existsSync(patroni) ? [] : ['patroni']),
    ...(existsSync(versions) ? [] : ['postgresql']),
    ...['etcd', 'haproxy'].filter((name) => spawnSync('which', [name], { env: { PATH: path } }).status !== 0),
  ];
  if (missing.length === 0) return null;
  return `not installed here: ${missing.join(', ')} (Debian: apt-get install patroni etcd-server haproxy postgresql)`;
}

type Node = { name: string; server: number; rest: number; data: string; running: ChildProcess | null };

export async function startPatroni(): Promise<PatroniCluster> {
  const owner = postgresUser();
  const folder = mkdtempSync(join(memoryFolder(), 'sendonce-ha-'));
  chmodSync(folder, 0o755);
  const nodes: Node[] = [];
  for (const name of names) {
    const [server = 0, rest = 0] = await freePorts(2);
    nodes.push({ name, server, rest, data: join(folder, name, 'data'), running: null });
    mkdirSync(join(folder, name));
  }
  const [etcd = 0, peers = 0, front = 0] = await freePorts(3);
  for (const node of nodes) writeFileSync(join(folder, `${node.name}.yml`), patroniText(folder, node, etcd));
  writeFileSync(join(folder, 'haproxy.cfg'), haproxyText(front, nodes));
  if (owner) for (const name of ['', ...names]) chownSync(join(folder, name), owner.uid, owner.gid);

  function run(name: string, command: string[]): ChildProcess {
    const environment = { PATH: path, HOME: folder, LC_ALL: 'C' };
    return spawnBound(join(folder, name), command, { ...owner, cwd: folder, env: environment });
  }

  function start(node: Node): void {
    node.running = run(node.name, [patroni, join(folder, `${node.name}.yml`)]);
  }

  async function kill(node: Node): Promise<void> {
    const pid = Number(readFileSync(join(folder, `${node.name}.pid`), 'utf8'));
    // So that it does not start its server again.
    process.kill(pid, 'SIGSTOP');
    await killAll(node.data);
    process.kill(pid, 'SIGKILL');
    await end(node.running);
    node.running = null;
  }

  async function leader(): Promise<string | null> {
    for (const { rest, running } of nodes) {
      if (!running) continue;
      const answer = await fetch(`http://127.0.0.1:${rest}/cluster`, { signal: AbortSignal.timeout(1_000) }).catch(
        () => null,
      );
      if (!answer?.ok) continue;
      const { members } = (await answer.json()) as { members: { name: string; role: string; state: string }[] };
      const lead = members.find((one) => one.role === 'leader' && one.state === 'running');
      const isPrimary = lead && (await isUp(nodes.find(({ name }) => name === lead.name)));
      if (isPrimary && members.some((one) => one.role === 'sync_standby')) return lead.name;
    }
    return null;
  }

  const clientUrls = `http://127.0.0.1:${etcd}`;
  const peerUrls = `http://127.0.0.1:${peers}`;
  const store = run('etcd', [
    'etcd',
    ...['--data-dir', join(folder, 'etcd'), '--log-level', 'error', '--logger', 'zap', '--unsafe-no-fsync'],
    ...['--listen-client-urls', clientUrls, '--advertise-client-urls', clientUrls],
    ...[
      '--listen-peer-urls',
      peerUrls,
      '--initial-advertise-peer-urls',
      peerUrls,
      '--initial-cluster',
      `default=${peerUrls}`,
    ],
  ]);
  for (const node of nodes) start(node);
  const proxy = run('haproxy', ['haproxy', '-q', '-db', '-f', join(folder, 'haproxy.cfg')]);

  async function stop(): Promise<void> {
    await end(proxy);
    await Promise.all(nodes.map(({ running }) => end(running)));
    await end(store);
    rmSync(folder, { recursive: true, force: true });
  }

  try {
    // Each of the three makes or copies its data first.
    await until('Patroni has a leader and a standby', async () => (await leader()) !== null, upMs);
    await until('HAProxy leads there', () => makeDatabase(front));
  } catch (error) {
    const logs = readdirSync(folder).filter((name) => name.endsWith('.log'));
    const said = logs.map((name) => readFileSync(join(folder, name), 'utf8').slice(-500)).join('\n');
    await stop();
    throw new Error(`Patroni does not come up: ${said}`, { cause: error });
  }
  const nodeOf = (name: string) => nodes.find((one) => one.name === name) as Node;
  return {
    url: `postgres://postgres@127.0.0.1:${front}/sendonce`,
    leader,
    kill: (name) => kill(nodeOf(name)),
    start: (name) => start(nodeOf(name)),
    stop,
  };
}

async function isUp(node: Node | undefined): Promise<boolean> {
  const answer = await fetch(`http://127.0.0.1:${node?.rest}/primary`, { signal: AbortSignal.timeout(1_000) }).catch(
    () => null,
  );
  return answer?.status === 200;
}

async function makeDatabase(port: number): Promise<boolean> {
  const client = new pg.Client({ host: '127.0.0.1', port, user: 'postgres', database: 'postgres' });
  client.on('error', () => {});
  await client.connect();
  try {
    await client.query('create database sendonce');
    return true;
  } finally {
    await client.end();
  }
}

/** A leader that is gone is noticed after 20 s: Patroni takes no less. */
function patroniText(folder: string, { name, server, rest, data }: Node, etcd: number): string {
  const [version = ''] = readdirSync(versions).sort().reverse();
  return `scope: sendonce
name: ${name}
restapi: { listen: '127.0.0.1:${rest}', connect_address: '127.0.0.1:${rest}' }
etcd3: { host: '127.0.0.1:${etcd}' }
log: { level: ERROR }
bootstrap:
  dcs:
    ttl: 20
    loop_wait: 2
    retry_timeout: 5
    synchronous_mode: true
    postgresql:
      use_pg_rewind: true
      parameters: { wal_keep_size: 256MB, max_connections: 100 }
  initdb: [{ encoding: UTF8 }, { locale: C }, { auth-local: trust }, { auth-host: trust }]
postgresql:
  listen: '127.0.0.1:${server}'
  connect_address: '127.0.0.1:${server}'
  data_dir: ${data}
  bin_dir: ${join(versions, version, 'bin')}
  pgpass: ${join(folder, name, 'pgpass')}
  pg_hba: ['local all all trust', 'host all all 127.0.0.1/32 trust', 'host replication all 127.0.0.1/32 trust']
  authentication: { superuser: { username: postgres }, replication: { username: postgres }, rewind: { username: postgres } }
  parameters: { unix_socket_directories: '${join(folder, name)}', shared_buffers: 64MB, log_min_messages: panic }
`;
}

/** The excerpt of the documentation, with the servers of this machine. */
function haproxyText(front: number, nodes: Node[]): string {
  const excerpt = /```\n# haproxy\.cfg[^\n]*\n([\s\S]*?)```/.exec(readFileSync(operations, 'utf8'))?.[1];
  if (!excerpt) throw new Error('docs/operations.md has an excerpt for HAProxy.');
  const text = nodes.reduce(
    (so, { name, server, rest }) =>
      so.replace(
        new RegExp(`server ${name} \\S+ check port \\d+`),
        `server ${name} 127.0.0.1:${server} check port ${rest}`,
      ),
    excerpt,
  );
  return text.replace(/bind \S+/, `bind 127.0.0.1:${front}`);
}

async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = net.createServer().listen(0, '127.0.0.1');
      await once(server, 'listening');
      return server;
    }),
  );
  const ports = servers.map((server) => (server.address() as net.AddressInfo).port);
  await Promise.all(servers.map((server) => once(server.close(), 'close')));
  return ports;
}

/**
 * Ends with this process, whatever ends that: the shell between them reads a pipe that only this process holds open. `name`: of the
 * files for its id and its words.
 */
function spawnBound(name: string, command: string[], options: { cwd: string; env: NodeJS.ProcessEnv }): ChildProcess {
  const script =
    '"$@" < /dev/null > "$0.log" 2>&1 & echo $! > "$0.pid"; read -r word; kill -TERM $! 2> /dev/null; wait $!';
  const child = spawn('/bin/sh', ['-c', script, name, ...command], { ...options, stdio: ['pipe', 'ignore', 'ignore'] });
  child.unref();
  (child.stdin as unknown as { unref(): void }).unref();
  return child;
}

async function end(child: ChildProcess | null): Promise<void> {
  if (!child || child.exitCode !== null || child.signalCode !== null) return;
  child.ref();
  const ended = once(child, 'exit');
  child.stdin?.end();
  await ended;
}
