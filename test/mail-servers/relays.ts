/**
 * `npm run relays [-- --only exim/mx] [--mails 200]`: Debian's Postfix, Exim and OpenSMTPD take awkward mails, once as the relay and once as
 * the server that DNS names for the recipients, and bring them on to a sink. Each arrives once, byte for byte as it left but for the trace
 * before it, and both of its signatures are good to dkimpy. Needs root; what is missing is said.
 */

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { rmSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { findPython, type Signature, verify } from '../dkim/dkimpy.ts';
import { freePort } from '../listen/real-servers.ts';
import { type DnsServer, startDnsServer } from '../support/dns-server.ts';
import { openDatabase } from '../support/engine.ts';
import { startTestServer, type TestServer } from '../support/server.ts';
import { type Sink, startSink } from '../support/smtp-sink.ts';
import { createTemp, type Temp } from '../support/temp.ts';
import { awkwardMails } from './awkward-mails.ts';
import { openFolder } from './debian.ts';
import { startExim } from './exim.ts';
import { startOpensmtpd } from './opensmtpd.ts';
import { startPostfix } from './postfix.ts';
import type { StartMailServer } from './server.ts';

const servers: Record<string, StartMailServer> = {
  postfix: startPostfix,
  exim: startExim,
  opensmtpd: startOpensmtpd,
};
const ways = ['relay', 'mx'] as const;
const sentAtOnce = 8;

const { values } = parseArgs({
  options: { only: { type: 'string', default: '' }, mails: { type: 'string', default: '200' } },
});

if (process.getuid?.() !== 0) console.log('This is not root: nothing was tried.');
else await main();

async function main(): Promise<void> {
  const temp = createTemp();
  const wrong: string[] = [];
  try {
    const python = findPython(temp);
    for (const [name, start] of Object.entries(servers)) {
      for (const way of ways) {
        const what = `${name}/${way}`;
        if (what.includes(values.only)) wrong.push(...(await tryOne({ what, start, way, python, temp })));
      }
    }
  } finally {
    temp.remove();
  }
  assert.deepEqual(wrong, [], 'mails that did not arrive as they left');
}

type One = { what: string; start: StartMailServer; way: (typeof ways)[number]; python: string | null; temp: Temp };

async function tryOne({ what, start, way, python, temp }: One): Promise<string[]> {
  const [port, folder, sink, dns] = [await freePort(), openFolder(), await startSink(), await startDnsServer()];
  const back = { kind: 'smtp', port: sink.port } as const;
  const middle = await start({ folder, port, back, onward: sink.port });
  dns.zone.set('many.test', { mx: [[10, 'mx1.many.test']] });
  dns.zone.set('mx1.many.test', { a: ['127.0.0.1'] });
  const mx = `mx:?dns=${dns.at}&port=${port}&allow=127.0.0.0/8`;
  const relayUrl = way === 'mx' ? mx : `smtp://127.0.0.1:${port}?starttls=never`;
  const server = await startTestServer({ environment: { RELAY_URL: relayUrl, DNS_SERVERS: dns.at } });
  try {
    if (!middle) return [];
    const zone = await makeDomain(server, dns);
    const mails = awkwardMails(Number(values.mails));
    const ids = await sendAll(server, mails);
    const people = mails.map(({ cc }) => (cc ? 2 : 1));
    await arrival(sink, people);
    return await compare({ what, server, sink, ids, people }, python ? (all) => verify(python, temp, zone, all) : null);
  } finally {
    await server.stop();
    await middle?.end();
    await sink.close();
    await dns.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

async function makeDomain(server: TestServer, dns: DnsServer): Promise<Record<string, string>> {
  const { json: domain } = await server.call('POST', '/domains', { name: 'shop.test' });
  const zone: Record<string, string> = {};
  for (const { name, value } of domain.records) zone[name] = value;
  for (const [name, value] of Object.entries(zone)) dns.zone.set(name, { txt: [value] });
  await server.call('POST', `/domains/${domain.id}/verify`);
  await server.tick();
  assert.equal((await server.call('GET', `/domains/${domain.id}`)).json.status, 'verified');
  return zone;
}

/** The ids, in the order of the mails. */
async function sendAll(server: TestServer, mails: Record<string, unknown>[]): Promise<string[]> {
  const ids: string[] = [];
  const rest = mails.entries();
  async function sendSome(): Promise<void> {
    for (const [at, mail] of rest) {
      const { status, json, text } = await server.call('POST', '/emails', mail);
      assert.equal(status, 200, `mail ${at}: ${text}`);
      ids[at] = json.id;
    }
  }
  await Promise.all(Array.from({ length: sentAtOnce }, sendSome));
  return ids;
}

/** Until all are there, or nothing more has come for a while. */
async function arrival(sink: Sink, people: readonly number[]): Promise<void> {
  const all = people.reduce((sum, one) => sum + one, 0);
  const came = () => sink.received.reduce((sum, { to }) => sum + to.length, 0);
  for (let quiet = 0, before = 0; came() < all && quiet < 150; quiet++) {
    if (came() !== before) quiet = 0;
    before = came();
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** `people`: to how many each goes; a server may hand a mail on once for each. */
type Arrived = { what: string; server: TestServer; sink: Sink; ids: string[]; people: number[] };

async function compare(
  { what, server, sink, ids, people }: Arrived,
  check: ((mails: Uint8Array[]) => Signature[][]) | null,
): Promise<string[]> {
  const left = await hashesOf(server);
  const wrong: string[] = [];
  const came = new Map<string, number>();
  for (const { messageId, bytes, to } of sink.received) {
    const id = messageId.slice(1, messageId.indexOf('@'));
    came.set(id, (came.get(id) ?? 0) + to.length);
    const hash = createHash('sha256').update(withoutTrace(bytes)).digest('hex');
    if (left.get(id) !== hash) wrong.push(`${what}, mail ${ids.indexOf(id)}: other bytes arrived`);
  }
  for (const [at, id] of ids.entries()) {
    if (came.get(id) !== people[at]) wrong.push(`${what}, mail ${at}: reached ${came.get(id) ?? 0} of ${people[at]}`);
  }
  const signatures = check?.(sink.received.map(({ bytes }) => bytes)) ?? [];
  const bad = signatures.filter((all) => all.length !== 2 || !all.every(({ good }) => good));
  if (bad.length > 0) wrong.push(`${what}: signatures of ${bad.length} mails are not good`);
  const asLeft = came.size - new Set(wrong.filter((one) => one.includes('other bytes'))).size;
  const signed = check ? `${signatures.length - bad.length} with two good signatures` : 'signatures not checked';
  console.log(`${what}: ${came.size} of ${ids.length} mails arrived, ${asLeft} byte for byte, ${signed}`);
  return wrong;
}

/** What the gate wrote down of each mail as it left. */
async function hashesOf(server: TestServer): Promise<Map<string, string>> {
  const database = await openDatabase(server.databaseUrl);
  try {
    const rows = await database.all<{ email_id: string; content_hash: Uint8Array }>(
      'select email_id, content_hash from deliveries where content_hash is not null',
    );
    return new Map(rows.map((one) => [one.email_id, Buffer.from(one.content_hash).toString('hex')]));
  } finally {
    await database.close();
  }
}

/** Servers put their trace before what they were given; what is ours begins with its signature. */
function withoutTrace(bytes: Uint8Array): Uint8Array {
  const at = Buffer.from(bytes).indexOf('\r\nDKIM-Signature:');
  return at === -1 ? bytes : bytes.subarray(at + 2);
}
