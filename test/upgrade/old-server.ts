/** A server of another version, from its compiled checkout, inside this process: with our clock, our relay and our endpoints. */

import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { createTestClock, type TestClock } from '../support/clock.ts';
import { type Receiver, startReceiver } from '../support/receiver.ts';
import { testKey } from '../support/server.ts';
import { type Sink, startSink } from '../support/smtp-sink.ts';
import { type Account, type Exchange, publicUrl, type Request, withoutLinks } from './left.ts';
import { createMoods } from './relay-moods.ts';

/** What we need of any version's `src/server.js`. */
type Started = { url: string; tick(): Promise<void>; stop(): Promise<void> };

export type OldServer = {
  readonly clock: TestClock;
  readonly sink: Sink;
  readonly receiver: Receiver;
  readonly keys: Record<Account, string>;
  /** SHA-256 of what came to a dot, taken or not, by the email's id. */
  readonly mails: Map<string, string>;
  transactionsOf(sender: string): number;
  ask(request: Request): Promise<Exchange>;
  /** @throws Error where it is refused. */
  get(path: string, account?: Account): Promise<Exchange>;
  page(path: string): Promise<Response>;
  tick(): Promise<void>;
  /** Moves the clock by minutes. */
  pass(minutes: number): void;
  stop(): Promise<void>;
};

/** Its first moment: fixed, so that what it leaves is the same whenever it is made. */
const bornAt = Date.parse('2026-10-05T08:00:00Z');

/** Chores run when they are asked for: what has expired must be there still. */
const neverMs = 2 ** 31 - 1;

export async function startOldServer(checkout: string, databaseUrl: string, stateDir: string): Promise<OldServer> {
  const { startServer } = await load(checkout, 'server.js');
  const { readConfig } = await load(checkout, 'config.js', 'config/config.js');
  const { behave, transactionsOf } = createMoods();
  const mails = new Map<string, string>();
  const sink = await startSink({
    behave,
    onDot: ({ messageId, bytes }) =>
      mails.set(messageId.slice(1, 37), createHash('sha256').update(bytes()).digest('hex')),
  });
  const receiver = await startReceiver(null);
  const environment = {
    ...{ PORT: '0', DATABASE_URL: databaseUrl, STATE_DIR: stateDir, SENDONCE_API_KEY: testKey, LOG_LEVEL: 'silent' },
    ...{ RELAY_URL: `smtp://127.0.0.1:${sink.port}`, EGRESS_ALLOW: '127.0.0.0/8', PUBLIC_URL: publicUrl },
  };
  const clock = createTestClock(bornAt);
  const outside = { clock, choresEveryMs: neverMs, die: () => process.exit(1) };
  const server: Started = await startServer(readConfig(environment), outside);
  const main = join(checkout, 'build/src/main.js');
  for (const made of [
    ['create', 'other'],
    ['allow', 'other', '*'],
  ]) {
    try {
      execFileSync(process.execPath, [main, 'account', ...made], {
        env: { ...process.env, ...environment },
        stdio: 'ignore',
      });
    } catch {
      // Older than accounts: the key makes it.
    }
  }
  const words = [main, 'key', 'create', '--account', 'other', '--name', 'of the other'];
  const said = execFileSync(process.execPath, words, { env: { ...process.env, ...environment }, encoding: 'utf8' });
  const keys = { own: testKey, other: said.split('\n')[0] ?? '' };

  async function ask(request: Request): Promise<Exchange> {
    const { account, method, path, body, headers } = request;
    const response = await fetch(`${server.url}${path}`, {
      method,
      headers: { 'api-key': keys[account], 'content-type': 'application/json', ...headers },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return { ...request, status: response.status, text: withoutLinks(await response.text()) };
  }

  const cookie = await signIn(server.url);
  return {
    ...{ clock, sink, receiver, keys, mails, transactionsOf, ask },
    async get(path, account = 'own') {
      const exchange = await ask({ account, method: 'GET', path });
      if (exchange.status !== 200) throw new Error(`${path}: ${exchange.text}`);
      return exchange;
    },
    page: (path) => fetch(`${server.url}/dashboard${path}`, { headers: { cookie } }),
    tick: () => server.tick(),
    pass: (minutes) => clock.advance(minutes * 60_000),
    async stop() {
      await sink.close();
      await receiver.close();
      await server.stop();
    },
  };
}

/** The first of these places that there is: 0.1.0 had its config beside its server. */
async function load(checkout: string, ...names: string[]) {
  const [path = ''] = names.map((name) => join(checkout, 'build/src', name)).filter(existsSync);
  return import(pathToFileURL(path).href);
}

async function signIn(url: string): Promise<string> {
  const { headers } = await fetch(`${url}/dashboard/sign-in`, {
    method: 'POST',
    redirect: 'manual',
    headers: { origin: url },
    body: new URLSearchParams({ key: testKey }),
  });
  return headers.get('set-cookie')?.split(';')[0] ?? '';
}
