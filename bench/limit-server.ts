/**
 * The limit of single sends: a bare server that makes the same text part and the same rows, in commits that are shared and
 * synced as the real program's are, and does nothing else. It looks up no key, checks nothing, and counts nothing.
 */

import { createHash, randomBytes } from 'node:crypto';
import { closeSync, fdatasync, openSync } from 'node:fs';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { createAdaptorServer } from '@hono/node-server';
import Sqlite from 'better-sqlite3';
import { Hono } from 'hono';
import { createIdSource } from '../src/core/token.ts';
import { generateText } from '../src/render/html-to-text.ts';
import { openSqlite } from '../src/store/engine/sqlite/sqlite.ts';
import { migrate } from '../src/store/migrate.ts';
import { serveHelper } from './child.ts';
import type { Mail } from './mails.ts';

const dayMs = 24 * 60 * 60_000;
const sync = promisify(fdatasync);

const [folder = ''] = process.argv.slice(2);
const path = join(folder, 'limit.db');
await makeTables();
const database = new Sqlite(path);
database.pragma('journal_mode = WAL');
database.pragma('synchronous = NORMAL');
database.pragma('wal_autocheckpoint = 40000');
const begin = database.prepare('begin immediate');
const commit = database.prepare('commit');
const insertKey = database.prepare(
  `insert into idempotency_keys
     (account, key_hash, scope, raw_hash, canonical_hash, status, body, email_ids, created_at, expires_at)
   values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
);
const insertEmail = database.prepare(
  `insert into emails
     (account, id, facade, message_id, created_at, scheduled_at, key_hash, summary, content, html, text, made_text, raw)
   values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
);
const insertDelivery = database.prepare(
  `insert into deliveries
     (account, email_id, part, state, run_at, give_up_at, recipients, recipient_count, in_doubt_policy, tries, reply, said,
      relay, is_bulk)
   values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
);

type Send = { key: string; raw: Buffer; mail: Mail; madeText: string | null; resolve: (body: string) => void };

const nextId = createIdSource(randomBytes);
let waiting: Send[] = [];
let isBusy = false;
const log = openSync(`${path}-wal`, 'r+');

const app = new Hono();
app.post('/emails', async (context) => {
  const raw = Buffer.from(await context.req.arrayBuffer());
  const mail: Mail = JSON.parse(raw.toString());
  const madeText = mail.text === undefined ? generateText(mail.html) : null;
  const key = context.req.header('idempotency-key') ?? '';
  const body = await new Promise<string>((resolve) => {
    waiting.push({ key, raw, mail, madeText, resolve });
    if (!isBusy) void commitAll();
  });
  return context.body(body, 200, { 'content-type': 'application/json' });
});

/** One sync is under way at a time; what is committed meanwhile shares the next. */
async function commitAll(): Promise<void> {
  isBusy = true;
  while (waiting.length > 0) {
    await new Promise((resolve) => setImmediate(resolve));
    const group = waiting;
    waiting = [];
    begin.run();
    const bodies = group.map(insert);
    commit.run();
    await sync(log);
    for (const [index, { resolve }] of group.entries()) resolve(bodies[index] ?? '');
  }
  isBusy = false;
}

function insert({ key, raw, mail, madeText }: Send): string {
  const now = Date.now();
  const id = nextId(now);
  const body = JSON.stringify({ id });
  const keyHash = createHash('sha256').update(key).digest();
  const rawHash = createHash('sha256').update(raw).digest();
  insertKey.run('default', keyHash, 'resend POST /emails', rawHash, rawHash, 200, body, `["${id}"]`, now, now + dayMs);
  const { from, to, subject, html, text } = mail;
  const summary = JSON.stringify({ from, to: [to], cc: [], bcc: [], replyTo: [], subject, tags: [], topicId: null });
  insertEmail.run(
    'default',
    id,
    'resend',
    `<${id}@resend.dev>`,
    now,
    null,
    keyHash,
    summary,
    '{"headers":[],"files":0}',
    Buffer.from(html),
    text === undefined ? null : Buffer.from(text),
    madeText === null ? null : Buffer.from(madeText),
    null,
  );
  insertDelivery.run('default', id, 0, 'queued', now, now + dayMs, `["${to}"]`, 1, null, 0, null, null, null, 0);
  return body;
}

/** Those of the real program, with all their indexes. */
async function makeTables(): Promise<void> {
  const onUnknownCommit = (cause: unknown) => {
    throw cause;
  };
  const made = openSqlite({ path, onUnknownCommit });
  await migrate(made);
  await made.close();
}

const server = createAdaptorServer({ fetch: app.fetch }) as Server;
server.listen(0, '127.0.0.1', () => {
  const { port } = server.address() as AddressInfo;
  serveHelper({ port }, async () => ({ port }));
});
process.on('exit', () => closeSync(log));
