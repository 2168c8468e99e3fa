/** Another Sendonce as the upstream, behind a proxy that loses, delays and repeats: doubts that settle themselves, and those that may not. */

import type { TestContext } from 'node:test';
import { createRandom, type Random } from '../support/random.ts';
import { message, type TestServer } from '../support/server.ts';
import { type Service, serveUpstream, type UpstreamRig } from '../support/upstream-rig.ts';
import { type Books, sqliteBooks } from './books.ts';
import { pause } from './load.ts';
import type { Trick } from './proxy.ts';
import type { Row } from './row.ts';

export type DoubtsOptions = { seed: number; doubts: number; onProgress?: (text: string) => void };

const services: readonly Service[] = ['resend', 'sendonce', 'brevo'];
const batchSize = 50;
/** Longer than the longest pause between two repeats, many times over. */
const settleMsMax = 8 * 60_000;
/** Two pauses between repeats. */
const quietMs = 65_000;

export async function runUpstreamDoubts({ doubts, ...options }: DoubtsOptions): Promise<Row[]> {
  const rows: Row[] = [];
  for (const service of services) {
    const some = Math.ceil(doubts / services.length);
    rows.push(await inRig(service, (rig) => settleThemselves(service, some, { ...options, rig })));
  }
  rows.push(await inRig('brevo', (rig) => outliveTheirKey(Math.max(5, Math.ceil(doubts / 25)), rig)));
  return rows;
}

async function inRig(service: Service, work: (rig: UpstreamRig) => Promise<Row>): Promise<Row> {
  const cleanUps: (() => Promise<void>)[] = [];
  const after = ((cleanUp: () => Promise<void>) => void cleanUps.push(cleanUp)) as TestContext['after'];
  try {
    return await work(await serveUpstream({ after }, service));
  } finally {
    for (const cleanUp of cleanUps) await cleanUp();
  }
}

type Run = Omit<DoubtsOptions, 'doubts'> & { rig: UpstreamRig };

/** Mails are sent until so many have been in doubt; then all of them come to an end by themselves. */
async function settleThemselves(service: Service, doubts: number, { seed, rig, onProgress }: Run): Promise<Row> {
  const fault = `upstream ${service}: answers lost, late, cut and repeated`;
  const random = createRandom(seed);
  rig.trick = () => pickTrick(random);
  const books = booksOf(rig.server);
  let mails = 0;
  let seen = 0;
  while (seen < doubts) {
    mails += await sendBatch(rig.server, mails);
    await settled(books, settleMsMax);
    seen = await count(books, `select count(*) as n from events where detail like '%"in_doubt":true%'`);
    onProgress?.(`${fault}: ${seen} of ${doubts}`);
  }
  return { ...(await rowOf(fault, { mails, rig })), runs: seen };
}

/** Answers are lost for longer than a key is sure to live at Brevo: all of it is held, and nothing is asked again. */
async function outliveTheirKey(mails: number, rig: UpstreamRig): Promise<Row> {
  const fault = 'upstream brevo: answers lost for longer than the key lives';
  rig.trick = () => ({ kind: 'lose answer' });
  const books = booksOf(rig.server);
  await sendBatch(rig.server, 0, mails);
  const inDoubt = () => count(books, "select count(*) as n from deliveries where state = 'in_doubt'");
  await until(settleMsMax, async () => (await inDoubt()) === mails);
  rig.server.clock.advance(15 * 60_000);
  // What was under way is over.
  await pause(2_000);
  rig.trick = () => ({ kind: 'pass' });
  const { requests } = rig;
  await pause(quietMs);
  const row = await rowOf(fault, { mails, rig });
  const violations =
    rig.requests === requests ? [] : [`${rig.requests - requests} were asked again behind the key's life`];
  const isHeld = row.held === mails ? [] : [`${row.held} of ${mails} are held`];
  return { ...row, runs: mails, explained: row.held, violations: [...violations, ...isHeld] };
}

/** Half of all requests are spoiled, repeats among them. */
function pickTrick(random: Random): Trick {
  const fate = random();
  if (fate < 0.15) return { kind: 'lose answer' };
  if (fate < 0.25) return { kind: 'answer 502' };
  if (fate < 0.35) return { kind: 'cut answer', bytes: 1 + Math.floor(random() * 60) };
  if (fate < 0.45) return { kind: 'cut request', bytes: 400 + Math.floor(random() * 500) };
  if (fate < 0.5) return { kind: 'repeat request' };
  return fate < 0.6 ? { kind: 'delay', ms: random() * 3_000 } : { kind: 'pass' };
}

async function sendBatch(server: TestServer, from: number, size = batchSize): Promise<number> {
  const mails = Array.from({ length: size }, (_, index) => message({ subject: `mail ${from + index}` }));
  const { status } = await server.call('POST', '/emails/batch', mails);
  if (status !== 200) throw new Error(`a batch was answered ${status}`);
  return size;
}

/** Nothing waits, is under way, or will be asked again. */
async function settled(books: Books, mostMs: number): Promise<void> {
  const open = `select count(*) as n from deliveries where state in ('queued', 'sending', 'handoff', 'in_doubt')`;
  await until(mostMs, async () => (await count(books, open)) === 0);
}

/** What is not so by then is counted as what it is. */
async function until(mostMs: number, isSo: () => Promise<boolean>): Promise<void> {
  const giveUpAt = performance.now() + mostMs;
  while (!(await isSo()) && performance.now() < giveUpAt) await pause(250);
}

async function rowOf(fault: string, { mails, rig }: { mails: number; rig: UpstreamRig }): Promise<Row> {
  const own = booksOf(rig.server);
  const copies = await count(booksOf(rig.upstream), 'select count(*) as n from emails');
  const sent = await count(own, "select count(*) as n from deliveries where state in ('sent', 'delivered')");
  const held = await count(own, "select count(*) as n from deliveries where state = 'in_doubt'");
  const duplicates = Math.max(0, copies - mails);
  const lost = mails - sent - held;
  const violations = [
    ...(copies === mails ? [] : [`${mails} mails are ${copies} at the upstream`]),
    ...(held === 0 ? [] : [`${held} are held although their key lives`]),
    ...(lost === 0 ? [] : [`${lost} came to nothing`]),
  ];
  return { fault, runs: 1, mails, duplicates, lost, held, explained: 0, violations };
}

function booksOf({ databaseUrl }: TestServer): Books {
  return sqliteBooks(databaseUrl.replace(/^sqlite:/, ''));
}

async function count(books: Books, sql: string): Promise<number> {
  const [row] = await books.rows<{ n: number }>(sql);
  return Number(row?.n ?? 0);
}
