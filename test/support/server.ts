/** A whole server inside the test's process, on a port and a database of its own. */

import { readConfig } from '../../src/config/config.ts';
import type { Limits } from '../../src/config/limits.ts';
import type { Environment } from '../../src/config/settings.ts';
import type { Relay } from '../../src/deliver/relay.ts';
import type { Outside } from '../../src/process/outside.ts';
import { startServer } from '../../src/server.ts';
import { createTestClock, type TestClock } from './clock.ts';
import { discardDatabase, newMigratedUrl } from './engine.ts';
import { createTemp } from './temp.ts';

export const testKey = 're_test_key';

/** Shared by all servers of a test: they stand on one database, and each has a folder of its own. */
export const testSecretKey = 'a secret key that only tests have';

export type TestServer = {
  readonly url: string;
  /** Where it takes mail, where the settings say so. */
  readonly mailPorts: number[];
  readonly clock: TestClock;
  readonly databaseUrl: string;
  readonly stateDir: string;
  /** Stops and starts again on the same database, `between` in between. */
  restart(between?: () => void | Promise<void>): Promise<void>;
  tick(): Promise<void>;
  /** Reads RELAYS_FILE again, as SIGHUP does. */
  readRelays(): void;
  /** Ticks until `condition` holds; fails after a while with what was awaited. */
  until(what: string, condition: () => Promise<boolean> | boolean): Promise<void>;
  call(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<TestReply>;
  stop(): Promise<void>;
};

// biome-ignore lint/suspicious/noExplicitAny: replies are looked into, member by member, by the assertions of the tests.
export type TestReply = { status: number; text: string; json: any; headers: Headers };

export type TestServerOptions = {
  environment?: Environment;
  limits?: Partial<Limits>;
  relay?: Relay;
  outside?: Partial<Outside>;
  /** Instead of one that shows the real time. */
  clock?: TestClock;
};

/** A busy machine takes longer than this to start a thread; what a sender may cost is tested with the real limit. */
const patient = { renderMsMax: 10_000 };

export async function startTestServer(options: TestServerOptions = {}): Promise<TestServer> {
  const temp = createTemp();
  const clock = options.clock ?? createTestClock();
  const shared = options.environment?.DATABASE_URL;
  const databaseUrl = shared ?? (await newMigratedUrl(temp));
  const environment = {
    PORT: '0',
    DATABASE_URL: databaseUrl,
    STATE_DIR: temp.path('.'),
    SENDONCE_API_KEY: testKey,
    SECRET_KEY: testSecretKey,
    EGRESS_ALLOW: '127.0.0.0/8',
    ...options.environment,
  };
  const config = readConfig(environment);
  const start = () =>
    startServer(
      { ...config, limits: { ...config.limits, ...patient, ...options.limits } },
      {
        clock,
        die: () => {
          throw new Error('the server asked to die');
        },
        ...(options.relay ? { relay: options.relay } : {}),
        ...options.outside,
      },
    );
  let server = await start();

  async function call(method: string, path: string, body?: unknown, headers: Record<string, string> = {}) {
    const raw = body === undefined || typeof body === 'string' ? body : JSON.stringify(body);
    const response = await fetch(`${server.url}${path}`, {
      method,
      headers: { authorization: `Bearer ${testKey}`, 'content-type': 'application/json', ...headers },
      ...(raw === undefined ? {} : { body: raw as string }),
    });
    const text = await response.text();
    const isJson = response.headers.get('content-type')?.startsWith('application/json');
    return { status: response.status, text, json: isJson ? JSON.parse(text) : null, headers: response.headers };
  }

  return {
    get url() {
      return server.url;
    },
    get mailPorts() {
      return server.mailPorts;
    },
    clock,
    databaseUrl,
    stateDir: temp.path('.'),
    async restart(between: () => void | Promise<void> = () => {}) {
      await server.stop();
      await between();
      server = await start();
    },
    tick: () => server.tick(),
    readRelays: () => server.change(readConfig(environment).relay),
    async until(what, condition) {
      const giveUpAt = performance.now() + 120_000;
      while (!(await condition())) {
        if (performance.now() > giveUpAt) throw new Error(`waited in vain until ${what}`);
        await server.tick();
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    },
    call,
    async stop() {
      await server.stop();
      if (shared === undefined) await discardDatabase(databaseUrl);
      temp.remove();
    },
  };
}

/** A message that is valid and short; `change` replaces members. */
export function message(change: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    from: 'Acme <onboarding@resend.dev>',
    to: ['foo@gmail.com'],
    subject: 'hello world',
    html: '<h1>it works!</h1>',
    ...change,
  };
}
