/**
 * `npm run bench:outbox`: rows drained a second, beside the same emails posted in batches of a hundred and one by one by a client that keeps
 * no record, against one server on SQLite that captures. Sides take turns; the ratio is the median of the rounds'.
 *
 * `--rows N` in each round (10,000), `--rounds N` (3), `--drains N` processes (3), `--only sqlite|postgres`.
 * After each drain it is checked that every row is sent, none twice, and groups in their order.
 */

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import Sqlite from 'better-sqlite3';
import { type OutboxDatabase, openOutboxDatabase, run } from '../src/client/outbox/engine.ts';
import { tableSql } from '../src/client/outbox/table.ts';
import { startPostgres } from '../test/support/postgres-server.ts';
import { startSendonce } from './child.ts';
import { measureDisk } from './disk.ts';
import { createNote } from './mails.ts';
import { renderMachine } from './report.ts';
import { apiKey } from './requests.ts';

const { values } = parseArgs({
  options: {
    rows: { type: 'string', default: '10000' },
    rounds: { type: 'string', default: '3' },
    drains: { type: 'string', default: '3' },
    only: { type: 'string' },
  },
});
const [rows, rounds, drains] = [Number(values.rows), Number(values.rounds), Number(values.drains)];
const batchSize = 100;
const batchConnections = 4;
const singleConnections = 50;
/** Of a hundred rows ten are in groups, of which there are so many. */
const groups = 100;

const folder = mkdtempSync(join(tmpdir(), 'sendonce-bench-'));
const settings = { DATABASE_URL: `sqlite:${join(folder, 'server.db')}`, STATE_DIR: folder, SENDONCE_API_KEY: apiKey };
const server = await startSendonce(settings, []);
const url = `http://127.0.0.1:${server.port}`;
const payloads = Array.from({ length: batchSize }, (_, index) => JSON.stringify(createNote(index)));
console.log(renderMachine('before', measureDisk(folder)));
try {
  for (const engine of ['sqlite', 'postgres'] as const) {
    if (values.only !== undefined && values.only !== engine) continue;
    await measure(engine);
  }
} finally {
  await server.stop();
  rmSync(folder, { recursive: true, force: true });
}
process.exit();

async function measure(engine: OutboxDatabase['engine']): Promise<void> {
  const postgres = engine === 'postgres' ? await startPostgres() : null;
  const databaseUrl = postgres ? await postgres.createDatabase() : `sqlite:${join(folder, 'shop.db')}`;
  if (!postgres) new Sqlite(join(folder, 'shop.db')).pragma('journal_mode = WAL');
  const database = await openOutboxDatabase(databaseUrl);
  await database.script(tableSql(engine));
  const all: { drained: number; batches: number; singles: number }[] = [];
  for (let round = 0; round < rounds; round++) {
    await fill(database, round);
    const drained = await perSecond(rows, () => drainAll(databaseUrl));
    await check(database, round);
    const batches = await perSecond(rows, () =>
      postAll('/emails/batch', batchSize, batchConnections, `b${engine}${round}`),
    );
    const few = Math.min(rows, 5_000);
    const singles = await perSecond(few, () => postAll('/emails', 1, singleConnections, `s${engine}${round}`, few));
    all.push({ drained, batches, singles });
  }
  await database.close();
  await postgres?.stop();
  const middle = (of: (one: (typeof all)[number]) => number) => all.map(of).sort((a, b) => a - b)[all.length >> 1] ?? 0;
  const per = (value: number) => Math.round(value).toLocaleString('en');
  console.log(
    `${engine}: ${per(middle((one) => one.drained))} rows a second with ${drains} drains; ` +
      `bare batches ${per(middle((one) => one.batches))}, ratio ${middle((one) => one.drained / one.batches).toFixed(2)}; ` +
      `bare single sends ${per(middle((one) => one.singles))}, ratio ${middle((one) => one.drained / one.singles).toFixed(2)}`,
  );
}

async function fill(database: OutboxDatabase, round: number): Promise<void> {
  for (let from = 0; from < rows; from += 1_000) {
    const numbers = Array.from({ length: Math.min(1_000, rows - from) }, (_, index) => from + index);
    const records = numbers.map((number) => ({
      id: `r${round}/${number}`,
      payload: payloads[number % batchSize],
      ordering: number % 10 === 0 ? `r${round}/${(number / 10) % groups}` : null,
    }));
    await database.transaction(() =>
      run(
        `insert into sendonce_outbox (id, payload, ordering)
         select id, payload, ordering from ${database.records('made', 'id text, payload text, ordering text')}`,
        JSON.stringify(records),
      ),
    );
  }
}

/** As an operator starts them. */
async function drainAll(databaseUrl: string): Promise<void> {
  const program = join(import.meta.dirname, '../src/main.js');
  const env = { ...process.env, OUTBOX_DATABASE_URL: databaseUrl, OUTBOX_KEY: apiKey };
  const children = Array.from({ length: drains }, () =>
    spawn(process.execPath, [program, 'outbox', 'drain', '--to', url, '--once'], {
      env,
      stdio: ['ignore', 'ignore', 'inherit'],
    }),
  );
  for (const code of await Promise.all(children.map(async (child) => (await once(child, 'exit'))[0])))
    assert.equal(code, 0);
}

async function check(database: OutboxDatabase, round: number): Promise<void> {
  const sent = await database.all<{ ordering: string | null; attempts: number; state: string; email_ids: string }>(
    `select ordering, attempts, state, email_ids from sendonce_outbox where id like ? order by seq`,
    `r${round}/%`,
  );
  assert.equal(sent.length, rows);
  assert(
    sent.every(({ state }) => state === 'sent'),
    'every row is sent',
  );
  assert.equal(new Set(sent.map(({ email_ids }) => email_ids)).size, rows, 'each row has an email of its own');
  const last = new Map<string, string>();
  for (const { ordering, email_ids } of sent) {
    if (ordering === null) continue;
    // Ids of one server grow with time.
    assert(email_ids > (last.get(ordering) ?? ''), `the order of group ${ordering}`);
    last.set(ordering, email_ids);
  }
  const repeated = sent.filter(({ attempts }) => attempts !== 1).length;
  console.log(
    `  ${rows} rows by ${drains} drains: each sent once, groups in order; asked more than once for ${repeated}`,
  );
}

async function postAll(path: string, size: number, connections: number, name: string, count = rows): Promise<void> {
  let next = 0;
  const post = async () => {
    for (let from = next; from < count; from = next) {
      next += size;
      const some = Array.from({ length: size }, (_, index) => payloads[(from + index) % batchSize]);
      const headers = {
        authorization: `Bearer ${apiKey}`,
        'content-type': 'application/json',
        'idempotency-key': `${name}/${from}`,
      };
      const body = size === 1 ? some[0] : `[${some.join(',')}]`;
      const answer = await fetch(url + path, { method: 'POST', headers, body });
      assert.equal(answer.status, 200);
      await answer.text();
    }
  };
  await Promise.all(Array.from({ length: connections }, post));
}

async function perSecond(count: number, work: () => Promise<void>): Promise<number> {
  const began = performance.now();
  await work();
  return (count / (performance.now() - began)) * 1_000;
}
