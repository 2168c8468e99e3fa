/** Somebody at the door of the page, over plain HTTP: what no browser lets a test say. */

import { randomUUID } from 'node:crypto';
import { type TestServer, testKey } from '../support/server.ts';

export type Answer = { status: number; text: string; headers: Headers };

/** One field may be there several times. */
export type Fields = Record<string, string | string[]>;

export type Visitor = {
  cookie: string;
  get(path: string, headers?: Record<string, string>): Promise<Answer>;
  /** Sends a form as our own page does: with its token, from its origin. `headers` replace what that says. */
  post(path: string, fields?: Fields, headers?: Record<string, string>): Promise<Answer>;
};

export async function signIn(server: TestServer, key = testKey): Promise<Visitor> {
  const visitor = createVisitor(server, '');
  const { headers, status } = await visitor.post('/sign-in', { key });
  if (status !== 303) throw new Error(`signing in was answered ${status}`);
  return createVisitor(server, headers.get('set-cookie')?.split(';')[0] ?? '');
}

/** The webhook's form as a page that was just loaded carries it. */
export function webhookForm(endpoint: string, events: string | string[] = []): Fields {
  return { key: randomUUID(), endpoint, events };
}

/** Until the figures and the search know of everything: on PostgreSQL they are half a minute behind. */
export async function indexed(server: TestServer): Promise<void> {
  server.clock.advance(31_000);
  await server.tick();
}

export function createVisitor(server: TestServer, cookie: string): Visitor {
  async function ask(path: string, init: RequestInit): Promise<Answer> {
    const response = await fetch(`${server.url}/dashboard${path}`, { redirect: 'manual', ...init });
    return { status: response.status, text: await response.text(), headers: response.headers };
  }
  async function token(): Promise<string> {
    const { text } = await ask('/idempotency', { headers: { cookie } });
    return /name="token" value="([^"]+)"/.exec(text)?.[1] ?? '';
  }
  return {
    cookie,
    get: (path, headers = {}) => ask(path, { headers: { cookie, ...headers } }),
    async post(path, fields: Fields = {}, headers = {}) {
      const known = cookie === '' ? fields : { token: await token(), ...fields };
      const own = { cookie, origin: server.url, ...headers };
      const pairs = Object.entries(known).flatMap(([name, value]) =>
        [value].flat().map((one): [string, string] => [name, one]),
      );
      return ask(path, { method: 'POST', headers: own, body: new URLSearchParams(pairs) });
    },
  };
}
