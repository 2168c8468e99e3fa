/**
 * `npm run broadcast -- [--contacts 100000] [--kill-every 5] [--seed N]`: a broadcast to so many contacts, by a server that is killed again and
 * again while it becomes emails and while those leave; beside it one password reset after the other. At the end each contact has had it once,
 * but for those whose mail is in doubt, which is held and shown, and nobody had it twice.
 */

import assert from 'node:assert/strict';
import { parseArgs } from 'node:util';
import { firstAccount } from '../../src/core/account.ts';
import { createIdSource } from '../../src/core/token.ts';
import { insertContact } from '../../src/store/contacts/contacts.ts';
import { addToSegment } from '../../src/store/contacts/segments.ts';
import { type Program, readRows, startProgram } from '../lab/program.ts';
import { openDatabase } from '../support/engine.ts';
import { createRandom } from '../support/random.ts';
import { testKey } from '../support/server.ts';
import { startSink } from '../support/smtp-sink.ts';
import { createTemp } from '../support/temp.ts';

const { values } = parseArgs({
  options: {
    contacts: { type: 'string', default: '100000' },
    'kill-every': { type: 'string', default: '5' },
    seed: { type: 'string' },
  },
});
const contacts = Number(values.contacts);
const killEveryMs = Number(values['kill-every']) * 1_000;
const seed = Number(values.seed ?? Date.now() % 2 ** 31);
if (!(contacts > 0) || !(killEveryMs >= 0))
  throw new Error('--contacts and --kill-every: numbers; --kill-every 0 kills nothing');

const random = createRandom(seed);
const temp = createTemp();
const taken = new Map<string, number>();
const resetTakenAt = new Map<string, number>();
const sink = await startSink({
  keepBytes: false,
  onDot: ({ to }) => {
    for (const address of to) {
      if (address.startsWith('reset')) resetTakenAt.set(address, performance.now());
      taken.set(address, (taken.get(address) ?? 0) + 1);
    }
  },
});
const path = temp.path('sendonce.db');
const setting = {
  databaseUrl: `sqlite:${path}`,
  relayUrl: `smtp://127.0.0.1:${sink.port}`,
  environment: { STATE_DIR: temp.path('.') },
};

let program: Program | null = null;
let url = '';
let lives = 0;
let isKilling = false;

async function start(): Promise<void> {
  const started = startProgram(setting);
  program = started;
  const listening = await started.listening;
  assert(listening, started.words());
  url = listening;
  lives += 1;
}

async function end(signal: NodeJS.Signals): Promise<void> {
  program?.signal(signal);
  await program?.ended;
}

async function call(method: string, to: string, body?: unknown, key?: string) {
  const headers = {
    authorization: `Bearer ${testKey}`,
    'content-type': 'application/json',
    ...(key && { 'idempotency-key': key }),
  };
  // A server that is away, or was killed before it answered, is asked again: each of these may be.
  for (;;) {
    try {
      const answer = await fetch(`${url}${to}`, { method, headers, ...(body ? { body: JSON.stringify(body) } : {}) });
      const text = await answer.text();
      if (answer.status < 500) return { status: answer.status, json: JSON.parse(text) };
    } catch {}
    await pause(50);
  }
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

async function fillSegment(segment: string): Promise<void> {
  const database = await openDatabase(setting.databaseUrl);
  const nextId = createIdSource((size) => Buffer.from(Array.from({ length: size }, () => Math.floor(random() * 256))));
  const blank = { account: firstAccount, firstName: 'Ann', lastName: null, unsubscribedAt: null, properties: {} };
  for (let made = 0; made < contacts; made += 500) {
    await database.write(async (tx) => {
      for (let one = made; one < Math.min(contacts, made + 500); one += 1) {
        const now = Date.now();
        const { id } = await insertContact(tx, { ...blank, id: nextId(now), address: `p${one}@many.test`, now });
        await addToSegment(tx, { account: firstAccount, segment, contact: id });
      }
    });
  }
  await database.close();
}

/** One after the other, each under a key of its own. Of those that no kill came between, the time from the answer to the relay. */
async function sendResets(isOver: () => boolean): Promise<number[]> {
  const times: number[] = [];
  for (let sent = 0; !isOver(); sent += 1) {
    const address = `reset${sent}@people.test`;
    const life = lives;
    const mail = { from: 'app@acme.test', to: address, subject: 'Your new password', text: 'https://acme.test/reset' };
    await call('POST', '/emails', mail, `reset ${sent}`);
    const answeredAt = performance.now();
    while (!resetTakenAt.has(address) && lives === life && !isKilling && performance.now() - answeredAt < 30_000)
      await pause(5);
    if (lives === life && !isKilling) times.push((resetTakenAt.get(address) ?? Number.POSITIVE_INFINITY) - answeredAt);
    await pause(300);
  }
  return times;
}

async function kill(): Promise<void> {
  isKilling = true;
  await end('SIGKILL');
  await start();
  isKilling = false;
}

/** Until everybody had their turn and nothing waits any more. */
async function killUntilDone(isDone: () => Promise<boolean>): Promise<number> {
  for (let kills = 0; ; kills += 1) {
    const until = performance.now() + killEveryMs * (0.3 + 1.4 * random());
    do {
      if (await isDone()) return kills;
      await pause(200);
    } while (killEveryMs === 0 || performance.now() < until);
    await kill();
  }
}

const openSql = "select count(*) as count from deliveries where state in ('queued', 'sending', 'handoff')";
const doubtSql = "select recipients as recipients from deliveries where state = 'in_doubt'";

try {
  console.log(`broadcast: --contacts ${contacts} --kill-every ${killEveryMs / 1_000} --seed ${seed}`);
  await start();
  const segment = (await call('POST', '/segments', { name: 'Everybody' })).json.id;
  await end('SIGTERM');
  await fillSegment(segment);
  await start();
  const news = {
    segment_id: segment,
    from: 'News <news@acme.test>',
    subject: 'News',
    html: '<p>Hi {{{FIRST_NAME}}}</p>',
  };
  const { id } = (await call('POST', '/broadcasts', news)).json;
  const startedAt = performance.now();
  await call('POST', `/broadcasts/${id}/send`, {});
  let isOver = false;
  const resets = sendResets(() => isOver);
  const kills = await killUntilDone(async () => {
    if ((await call('GET', `/broadcasts/${id}`)).json.status !== 'sent') return false;
    return readRows<{ count: number }>(path, openSql)[0]?.count === 0;
  });
  const tookMs = performance.now() - startedAt;
  isOver = true;
  const times = (await resets).sort((one, other) => one - other);
  await end('SIGTERM');
  report({ kills, tookMs, times });
} finally {
  await end('SIGKILL');
  await sink.close();
  temp.remove();
}

function report({ kills, tookMs, times }: { kills: number; tookMs: number; times: number[] }): void {
  const doubtful = new Set(
    readRows<{ recipients: string }>(path, doubtSql).flatMap(({ recipients }) => JSON.parse(recipients) as string[]),
  );
  const twice = [...taken].filter(([address, count]) => count > 1 && !address.startsWith('reset'));
  const everybody = Array.from({ length: contacts }, (_, index) => `p${index}@many.test`);
  const lost = everybody.filter((address) => !taken.has(address) && !doubtful.has(address));
  const at = (share: number) => Math.round(times[Math.floor((times.length - 1) * share)] ?? 0);
  console.log(
    `${kills} kills in ${Math.round(tookMs / 1_000)} s; ${[...taken.keys()].filter((one) => one.startsWith('p')).length} of ${contacts} contacts had it`,
  );
  console.log(`in doubt, held: ${doubtful.size}; twice: ${twice.length}; lost: ${lost.length}`);
  console.log(
    `password resets that no kill came between: ${times.length}, half within ${at(0.5)} ms, 95 % within ${at(0.95)} ms, all within ${at(1)} ms`,
  );
  process.exitCode = twice.length === 0 && lost.length === 0 ? 0 : 1;
}
