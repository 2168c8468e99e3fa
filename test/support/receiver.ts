/** An honest HTTP server that webhooks are sent to: it keeps what it was told, and misbehaves on request. */

import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { TestContext } from 'node:test';

export type Told = {
  path: string;
  headers: IncomingHttpHeaders;
  body: string;
  // biome-ignore lint/suspicious/noExplicitAny: payloads are looked into, member by member, by the assertions of the tests.
  json: any;
};

/** What it does with a request; `hang` never answers. */
export type Behaviour = { status?: number; body?: string; headers?: Record<string, string> } | 'hang';

export type Receiver = {
  readonly url: string;
  readonly told: Told[];
  behave: (told: Told, count: number) => Behaviour | Promise<Behaviour>;
  /** Requests whose answer is outstanding. */
  readonly open: number;
  /** Resolves once the condition holds; it is looked at after each request. */
  until(condition: (receiver: Receiver) => boolean): Promise<void>;
  waitFor(count: number): Promise<void>;
  close(): Promise<void>;
};

export async function startReceiver(t: TestContext | null, options: { port?: number } = {}): Promise<Receiver> {
  const told: Told[] = [];
  let watchers: { condition: (receiver: Receiver) => boolean; resolve: () => void }[] = [];
  let open = 0;

  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on(
      'end',
      () => void answer(request.url ?? '', request.headers, Buffer.concat(chunks).toString(), response),
    );
  });
  server.listen(options.port ?? 0, '127.0.0.1');
  await once(server, 'listening');

  const receiver: Receiver = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    told,
    behave: () => ({}),
    get open() {
      return open;
    },
    until(condition) {
      if (condition(receiver)) return Promise.resolve();
      return new Promise((resolve) => watchers.push({ condition, resolve }));
    },
    waitFor: (count) => receiver.until(() => told.length >= count),
    async close() {
      server.closeAllConnections();
      if (!server.listening) return;
      server.close();
      await once(server, 'close');
    },
  };

  async function answer(path: string, headers: IncomingHttpHeaders, body: string, response: ServerResponse) {
    const one = { path, headers, body, json: JSON.parse(body || 'null') };
    told.push(one);
    open += 1;
    response.once('close', () => {
      open -= 1;
      changed();
    });
    changed();
    const behaviour = await receiver.behave(one, told.length);
    if (behaviour === 'hang') return;
    response.writeHead(behaviour.status ?? 200, behaviour.headers);
    response.end(behaviour.body ?? 'ok');
  }

  function changed(): void {
    watchers = watchers.filter(({ condition, resolve }) => {
      const isMet = condition(receiver);
      if (isMet) resolve();
      return !isMet;
    });
  }

  t?.after(() => receiver.close());
  return receiver;
}

/** The event types an endpoint was told, in order. */
export function typesTold(receiver: Receiver): string[] {
  return receiver.told.map(({ json }) => json.type);
}
