/**
 * Keeps what a released version leaves behind, for `upgrade.test.ts`. In a checkout of that version `npm ci && npm run build:test`,
 * then here: `npm run build:test && node build/test/upgrade/make.js CHECKOUT VERSION`. Once for each release:
 * what it makes is never made again with another program. Keys and secrets in it are for nothing else.
 */

import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Database } from '../../src/store/database.ts';
import { sharedPostgres } from '../support/postgres-server.ts';
import { createTemp } from '../support/temp.ts';
import { dumpPostgres, dumpSqlite, keep, sha256 } from './dump.ts';
import { type Exchange, folder, type Left } from './left.ts';
import { type Lived, live } from './life.ts';
import { type OldServer, startOldServer } from './old-server.ts';

const [checkout = '', version = ''] = process.argv.slice(2);
for (const engine of ['sqlite', 'postgres'] as const) await make(engine);
process.exit();

async function make(engine: Database['engine']): Promise<void> {
  const temp = createTemp();
  mkdirSync(temp.path('state'));
  const url = engine === 'sqlite' ? `sqlite:${temp.path('made.db')}` : await (await sharedPostgres()).createDatabase();
  const server = await startOldServer(checkout, url, temp.path('state'));
  const lived = await live(server);
  const [answers, mails] = [await readAll(server, lived), await mailsOf(server, lived)];
  const left: Left = { version, at: server.clock.now(), keys: server.keys, ...lived, answers, mails };
  if (engine === 'sqlite') await dumpSqlite(temp.path('made.db'), join(folder, `${version}.db.gz`));
  else await dumpPostgres(url, checkout, join(folder, `${version}.sql.gz`));
  keep(join(folder, `${version}.${engine}.json.gz`), JSON.stringify(left, null, 2));
  await server.stop();
  temp.remove();
}

/** What each reading route says of the account nothing is under way in. */
async function readAll(server: OldServer, lived: Lived): Promise<Exchange[]> {
  const ids = Object.values(lived.emails);
  const days = 'startDate=2026-10-04&endDate=2026-10-09';
  const keys = lived.replays.map(({ headers }) => headers?.['idempotency-key']).filter((key) => key !== undefined);
  const paths = [
    ...['/emails?limit=100', '/suppressions', '/webhooks', '/in-doubt', '/v3/senders', '/v3/webhooks', '/v3/account'],
    ...ids.flatMap((id) => [`/emails/${id}`, `/emails/${id}/events`, `/emails/${id}/attachments`]),
    ...[...keys, 'brevo, live'].map((key) => `/idempotency-keys/${encodeURIComponent(key)}`),
    ...['/v3/smtp/templates', '/v3/smtp/templates/2', '/v3/smtp/blockedContacts', '/v3/smtp/emails?templateId=2'],
    ...['events', 'aggregatedReport', 'reports'].map((name) => `/v3/smtp/statistics/${name}?${days}`),
    `/v3/smtp/emails?email=ann@example.com&${days}`,
    `/v3/smtp/emailStatus/${lived.batchId}?${days}`,
  ];
  const answers = [];
  for (const path of paths) answers.push(await server.get(path));
  for (const name of ['well', 'down'])
    answers.push(...(await readWebhook(server, `/webhooks/${lived.webhooks[name]}`)));
  for (const name of ['brevo', 'brevoDown']) answers.push(await server.get(`/v3/webhooks/${lived.webhooks[name]}`));
  return answers;
}

async function readWebhook(server: OldServer, path: string): Promise<Exchange[]> {
  const list = await server.get(`${path}/events?limit=100`);
  const answers = [await server.get(path), list];
  for (const { id } of JSON.parse(list.text).data) {
    answers.push(await server.get(`${path}/events/${id}`), await server.get(`${path}/events/${id}/attempts`));
  }
  return answers;
}

/** As the page shows them; those that came to a dot have been seen on the wire. */
async function mailsOf(server: OldServer, { emails, unfinished }: Lived): Promise<Record<string, string>> {
  const mails: Record<string, string> = {};
  for (const [name, id] of Object.entries({ ...emails, ...unfinished })) {
    const seen = server.mails.get(id);
    const shown = name in emails ? await shownMail(server, id) : seen;
    if (seen && seen !== shown) throw new Error(`${name} is shown otherwise than it was sent`);
    if (shown) mails[name] = shown;
  }
  return mails;
}

async function shownMail(server: OldServer, id: string): Promise<string> {
  const page = await server.page(`/emails/${id}/eml`);
  if (page.status !== 200) throw new Error(`${id} is not shown: ${page.status}`);
  return sha256(new Uint8Array(await page.arrayBuffer()));
}
