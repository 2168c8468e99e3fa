/** Answers that clients never get, through a proxy: the request went through, the client comes again, and one mail leaves. */

import { Resend } from 'resend';
import type { Random } from '../support/random.ts';
import { testKey } from '../support/server.ts';
import { pause } from './load.ts';
import type { Operation } from './operation.ts';
import { type ProxyOptions, startProxy, type Trick, type TrickyProxy } from './proxy.ts';
import type { Row } from './row.ts';
import { Stand, until } from './stand.ts';
import { inject, whyNoStrace } from './strace.ts';

export type LostAnswersOptions = {
  seed: number;
  onProgress?: (text: string) => void;
  /** Another program than the real one. */
  command?: string[];
  mails?: number;
};

const clientsAtOnce = 8;

/** Of the server's writes to its log, so that a few commits fail and there are 503s to look at: a commit of all clients has some 200. */
const failing = '60+401';

/** Gives up and comes again after this long; some delays are longer. */
const timeoutMs = 400;
const delayMsMax = 800;

export async function runLostAnswers({ mails = 400, onProgress, ...options }: LostAnswersOptions): Promise<Row[]> {
  const stand = await Stand.open(options);
  const tally = new Map<string, number>();
  const count = (what: string) => tally.set(what, (tally.get(what) ?? 0) + 1);
  const choose = () => {
    const trick = chooseTrick(stand.random);
    count(trick.kind);
    return trick;
  };
  const onReply: ProxyOptions['onReply'] = ({ status }, key, isAlone) => {
    if (status !== 200) count(`status ${status}`);
    if (isAlone && invitesRetry(status) && stand.isCommitted(key)) {
      stand.violations.push(`${key}: a ${status} left after the commit`);
    }
  };
  const proxy = await startProxy({ target: () => stand.url, choose, onReply });
  try {
    const program = await stand.up();
    const mend = options.command ? async () => {} : await breakSomeCommits(stand, program.pid, onProgress);
    await sendAll(stand, proxy, mails);
    await mend();
    for (const mail of stand.mails) await stand.recover(mail);
    const made = [...tally].map(([what, times]) => `${what} ${times}`).sort();
    onProgress?.(`answers lost: ${mails} mails, ${made.join(', ')}, --seed ${options.seed}`);
    return [await stand.conclude('answers lost, cut, late or replaced by a proxy', mails)];
  } finally {
    await proxy.close();
    await stand.destroy();
  }
}

/** Nearly every second request has an accident. */
function chooseTrick(random: Random): Trick {
  const chosen = random();
  if (chosen < 0.08) return { kind: 'cut request', bytes: Math.floor(random() * 600) };
  if (chosen < 0.16) return { kind: 'cut answer', bytes: Math.floor(random() * 250) };
  if (chosen < 0.24) return { kind: 'lose answer' };
  if (chosen < 0.34) return { kind: 'answer 502' };
  if (chosen < 0.42) return { kind: 'delay', ms: random() * delayMsMax };
  if (chosen < 0.48) return { kind: 'repeat request' };
  return { kind: 'pass' };
}

/** SDKs send again on these by themselves, some of them under another key: none may leave for what was committed. */
function invitesRetry(status: number): boolean {
  return status >= 500 || status === 408 || status === 409;
}

/** Resolves with what mends the disk again. */
async function breakSomeCommits(stand: Stand, pid: number, onProgress?: (text: string) => void) {
  const skipped = whyNoStrace();
  if (skipped) {
    onProgress?.(`NOT CHECKED: answers lost while commits fail: ${skipped}`);
    return async () => {};
  }
  const paths = [`${stand.databasePath}-wal`];
  const terms = { calls: ['pwrite64'], what: 'error=ENOSPC', when: failing, paths };
  const injection = await inject(pid, stand.path('strace'), terms);
  return () => injection.detach();
}

async function sendAll(stand: Stand, proxy: TrickyProxy, mails: number): Promise<void> {
  const resend = new Resend(testKey, { baseUrl: proxy.url });
  const client = async (number: number) => {
    const send = number % 2 === 0 ? sendBySdk.bind(null, resend) : sendPlainly.bind(null, proxy.url);
    while (stand.mails.length < mails) {
      const mail = stand.compose();
      // Some operations are begun by two at once, as after a time-out.
      const twins = stand.random() < 0.15 ? 2 : 1;
      await Promise.all(Array.from({ length: twins }, () => untilAnswered(stand, mail, send)));
    }
  };
  await Promise.all(Array.from({ length: clientsAtOnce }, (_, number) => client(number)));
}

/** Null: come again. */
type Send = (mail: Operation) => Promise<string | null>;

async function untilAnswered(stand: Stand, mail: Operation, send: Send): Promise<void> {
  await until('a client is answered', async () => {
    const id = await send(mail);
    if (id === null) return false;
    stand.hear(mail, id);
    return true;
  });
}

async function sendBySdk(resend: Resend, { key, text }: Operation): Promise<string | null> {
  const given = pause(timeoutMs).then(() => null);
  const sent = resend.emails.send(JSON.parse(text), { idempotencyKey: key }).then(({ data }) => data?.id ?? null);
  return Promise.race([sent.catch(() => null), given]);
}

async function sendPlainly(url: string, { key, text }: Operation): Promise<string | null> {
  const headers = { authorization: `Bearer ${testKey}`, 'content-type': 'application/json', 'idempotency-key': key };
  const signal = AbortSignal.timeout(timeoutMs);
  try {
    const response = await fetch(`${url}/emails`, { method: 'POST', headers, body: text, signal });
    if (response.status !== 200) return null;
    return ((await response.json()) as { id: string }).id;
  } catch {
    return null;
  }
}
