/**
 * `npm run bench:postgres`: accepts and deliveries a second of several processes on one PostgreSQL, against pgbench doing the
 * same inserts on the same server; and what accepts and claims cost as the store grows. `--seconds N` a measurement (5),
 * `--rows 10000,1000000` the sizes (none), `--processes 1,2,4`.
 */

import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { claimDue } from '../src/store/claims.ts';
import type { Database } from '../src/store/database.ts';
import { migrate } from '../src/store/migrate.ts';
import { openPostgres } from '../src/store/postgres.ts';
import { startPostgres } from '../test/support/postgres-server.ts';
import { type Helper, type Sendonce, startHelper, startSendonce } from './child.ts';
import type { LoadOrder, LoadReport } from './load.ts';
import { createNote } from './mails.ts';
import { apiKey, batchRequests, singleRequests } from './requests.ts';
import type { SinkOrder, SinkReport } from './sink.ts';

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '5' },
    rows: { type: 'string', default: '' },
    processes: { type: 'string', default: '1,2,4' },
  },
});
const seconds = Number(values.seconds);
const counts = values.processes.split(',').map(Number);
const sizes = values.rows.split(',').filter(Boolean).map(Number);

/** Of all processes together: enough to fill groups. */
const connections = 48;
const warmUpMs = 2_000;
const mailsDelivered = 4_000;
const claimRounds = 50;
const claimSize = 20;

type Generator = Helper<LoadOrder, LoadReport>;

/** What one accept writes, in one transaction of prepared statements. */
const script = `
\\set n random(1, 9000000000000000)
begin;
insert into idempotency_keys (account, key_hash, scope, raw_hash, canonical_hash, status, body, email_ids, created_at, expires_at)
  values ('default', sha256((:n)::text::bytea), 'resend POST /emails', sha256('a'::bytea), sha256('b'::bytea), 200,
    '{"id":"01a21309-76ed-7444-b90c-2d4b46404e26"}', '["01a21309-76ed-7444-b90c-2d4b46404e26"]', 1, 9007199254740991)
  on conflict (account, key_hash) do nothing;
insert into emails (account, id, facade, message_id, created_at, summary, content, html)
  values ('default', 'pgbench ' || :n, 'resend', '<01a21309-76ed-7444-b90c-2d4b46404e26@resend.dev>', 1,
    '{"from":"Acme <onboarding@resend.dev>","to":["customer-1@mail.example"],"cc":[],"bcc":[],"replyTo":[],"subject":"hello world","tags":[],"topicId": null,"scheduledText": null}',
    '{"headers":[],"files": 0}', '<h1>it works!</h1>');
insert into deliveries (account, email_id, part, state, run_at, give_up_at, recipients, recipient_count)
  values ('default', 'pgbench ' || :n, 0, 'sent', 1, 2, '["customer-1@mail.example"]', 1);
commit;
`;

const folder = mkdtempSync(join(tmpdir(), 'sendonce-bench-pg-'));
const server = await startPostgres({ shared_buffers: '512MB', max_wal_size: '4GB' });
try {
  const url = await server.createDatabase();
  await measureAccepts(url);
  await measureDeliveries(await server.createDatabase());
  for (const size of sizes) await measureAtSize(await server.createDatabase(), size);
} finally {
  await server.stop();
  rmSync(folder, { recursive: true, force: true });
}
process.exit();

async function measureAccepts(url: string): Promise<void> {
  const found: string[] = [];
  for (const count of counts) {
    const perSecond = await accepts(url, count);
    found.push(`${count}: ${Math.round(perSecond)}`);
  }
  console.log(`keyed accepts of 0.3 kB a second, by API processes: ${found.join(', ')}`);
  const found2 = [1, 4, 16].map((clients) => `${clients}: ${pgbench(url, clients)}`);
  console.log(`pgbench doing the same inserts, transactions a second by clients: ${found2.join(', ')}`);
}

async function accepts(url: string, count: number): Promise<number> {
  const apis = await Promise.all(Array.from({ length: count }, () => start(url, { ROLE: 'api' })));
  const generators = await Promise.all(
    apis.map(async () => (await startHelper<LoadOrder, LoadReport>('load')).helper as Generator),
  );
  const run = async (name: string, durationMs: number) => {
    const reports = await Promise.all(
      apis.map(({ port }, index) =>
        (generators[index] as Generator).ask({
          ...singleRequests(`${name}-${count}-${index}`, createNote),
          port,
          connections: connections / count,
          fromKey: 0,
          toKey: Number.MAX_SAFE_INTEGER,
          countMax: Number.MAX_SAFE_INTEGER,
          durationMs,
          bodies: 'ignore',
        }),
      ),
    );
    return reports.reduce((sum, { answered, elapsedMs }) => sum + (answered / elapsedMs) * 1_000, 0);
  };
  await run(`warm-${url.length}`, warmUpMs);
  const perSecond = await run(`run-${Date.now()}`, seconds * 1_000);
  await Promise.all([...apis, ...generators].map((one) => one.stop()));
  return perSecond;
}

function start(url: string, settings: Record<string, string>): Promise<Sendonce> {
  const all = { DATABASE_URL: url, SENDONCE_API_KEY: apiKey, STATE_DIR: folder, ...settings };
  return startSendonce(all, []);
}

function pgbench(url: string, clients: number): string {
  const path = join(folder, 'accept.sql');
  writeFileSync(path, script);
  const database = new URL(url.replace('@/', '@localhost/')).pathname.slice(1);
  const where = ['-h', server.folder, '-U', 'postgres', database];
  try {
    const options = ['-n', '-M', 'prepared', '-f', path, '-c', String(clients), '-j', '2', '-T', String(seconds)];
    const said = execFileSync('pgbench', [...options, ...where], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    return String(Math.round(Number(/tps = ([\d.]+)/.exec(said)?.[1])));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return 'pgbench is not installed here';
    throw error;
  }
}

async function measureDeliveries(url: string): Promise<void> {
  const found: string[] = [];
  for (const count of counts) found.push(`${count}: ${Math.round(await deliveries(url, count))}`);
  console.log(`mails delivered a second to one sink, by worker processes of 10 connections: ${found.join(', ')}`);
}

/** All mails are there before the first worker is. */
async function deliveries(url: string, count: number): Promise<number> {
  const { helper: sink, ready } = await startHelper<SinkOrder, SinkReport>('sink');
  const api = await start(url, { ROLE: 'api' });
  const { helper: generator } = await startHelper<LoadOrder, LoadReport>('load');
  const batches = mailsDelivered / 100;
  await generator.ask({
    ...batchRequests(`deliver-${count}`),
    port: api.port,
    connections: 2,
    fromKey: 0,
    toKey: batches,
    countMax: batches,
    durationMs: 120_000,
    bodies: 'ignore',
  });
  const first = sink.ask({ await: 'first' });
  const settings = { ROLE: 'worker', RELAY_URL: `smtp://127.0.0.1:${ready.port}` };
  const workers = await Promise.all(Array.from({ length: count }, () => start(url, settings)));
  await first;
  const { elapsedMs } = await sink.ask({ await: 'all', count: mailsDelivered });
  await Promise.all([api, generator, ...workers].map((one) => one.stop()));
  await sink.stop();
  return (mailsDelivered / elapsedMs) * 1_000;
}

/** Keys, emails and deliveries as a year would leave them, with short bodies. */
async function fill(database: Database, size: number): Promise<void> {
  const id = "'00000000-0000-7000-8000-' || lpad(n::text, 12, '0')";
  await database.write(
    async (tx) => {
      await tx.run("insert into accounts (id, created_at) values ('default', 1) on conflict do nothing");
      await tx.run(
        `insert into idempotency_keys (account, key_hash, scope, raw_hash, status, body, email_ids, created_at, expires_at)
         select 'default', sha256(n::text::bytea), 'resend POST /emails', sha256('a'::bytea), 200, '{}', '[]', 1, ${Number.MAX_SAFE_INTEGER}
         from generate_series(1, ?) n`,
        size,
      );
      await tx.run(
        `insert into emails (account, id, facade, message_id, created_at, summary, content, html)
         select 'default', ${id}, 'resend', '<x@y>', n, '{}', '{}', '<p>short</p>' from generate_series(1, ?) n`,
        size,
      );
      await tx.run(
        `insert into deliveries (account, email_id, part, state, run_at, give_up_at, recipients, recipient_count)
         select 'default', ${id}, 0, 'sent', n, n, '["a@b.example"]', 1 from generate_series(1, ?) n`,
        size,
      );
    },
    { patient: true },
  );
  for (const table of ['idempotency_keys', 'emails', 'deliveries']) await database.report(`vacuum analyze ${table}`);
}

async function measureAtSize(url: string, size: number): Promise<void> {
  const database = await openPostgres({ url });
  await migrate(database);
  await fill(database, size);
  const perSecond = await accepts(url, 1);
  const claimMs = await claims(database);
  await database.close();
  const against = pgbench(url, 16);
  const ratio = (perSecond / Number(against)).toFixed(2);
  console.log(
    `${size} stored: ${Math.round(perSecond)} accepts a second, ${ratio} of pgbench's ${against}; ${claimMs.toFixed(2)} ms a claimed delivery`,
  );
}

/** The accepts before have left enough that is due. */
async function claims(database: Database): Promise<number> {
  const startedAt = performance.now();
  let claimed = 0;
  for (let round = 0; round < claimRounds; round += 1) {
    const terms = { now: database.wall(), leaseMs: 60_000, limit: claimSize };
    claimed += (await database.write((tx) => claimDue(tx, 'default', 'bench', terms))).length;
  }
  return (performance.now() - startedAt) / claimed;
}
