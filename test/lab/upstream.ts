/** An HTTP API as a relay of the lab: Sendonce's by its contract, keys and all, in changing moods; it writes down what it was asked. */

import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createRandom, type Random } from '../support/random.ts';
import type { LabClock } from './lab-clock.ts';
import { pause } from './load.ts';
import type { Said, Thinking } from './moods.ts';
import type { Transaction } from './relay.ts';

/** `takes`: it has taken the mail whatever it answers; `status` 0: it ends the connection without a word. */
type Way = { name: string; weight: number; said: Said; takes: boolean; status: number; body?: object; ms?: number };

const refused = (name: string, message: string) => ({ name, message });

const ways: readonly Way[] = [
  { name: 'accept', weight: 30, said: 'yes', takes: true, status: 200 },
  { name: 'thinks', weight: 8, said: 'yes', takes: true, status: 200, ms: 60 },
  { name: 'loses its answer', weight: 4, said: 'unclear', takes: true, status: 0 },
  { name: 'loses the request', weight: 3, said: 'unclear', takes: false, status: 0 },
  { name: 'takes it and answers 502', weight: 2, said: 'unclear', takes: true, status: 502 },
  { name: 'answers 500', weight: 2, said: 'unclear', takes: false, status: 500 },
  {
    name: 'answers 429',
    weight: 3,
    said: 'later',
    takes: false,
    status: 429,
    body: refused('rate_limit_exceeded', ''),
  },
  { name: 'answers 422', weight: 1, said: 'no', takes: false, status: 422, body: refused('validation_error', 'no') },
  {
    name: 'knows no such sender',
    weight: 2,
    said: 'later',
    takes: false,
    status: 403,
    body: refused('validation_error', 'The domain is not verified.'),
  },
];

export type LabUpstream = {
  readonly port: number;
  /** From now on it takes and answers everything. */
  isCalm: boolean;
  /** One connection in so many ends before its request is read. */
  badGreetings: number;
  close(): Promise<void>;
};

export type LabUpstreamOptions = {
  name: string;
  random: Random;
  clock: LabClock;
  thinking: Thinking;
  transactions: Transaction[];
};

export async function startUpstream(options: LabUpstreamOptions): Promise<LabUpstream> {
  const { thinking, random } = options;
  const book = new Book(options);
  const server = createServer((request, response) => {
    const key = request.headers['idempotency-key'];
    if (typeof key !== 'string') return void response.writeHead(404).end('{}');
    if (upstream.badGreetings > 0 && random() < 1 / upstream.badGreetings) return void request.socket.destroy();
    void answer(request, response, key).catch(() => {});
  });
  const upstream: LabUpstream = {
    port: 0,
    isCalm: false,
    badGreetings: 0,
    async close() {
      server.closeAllConnections();
      server.close();
    },
  };

  async function answer(request: IncomingMessage, response: ServerResponse, key: string): Promise<void> {
    const body = await read(request);
    const { way, id } = book.ask(key, body, upstream.isCalm);
    if (way.ms) {
      const waiting = {};
      thinking.add(waiting);
      await pause(way.ms);
      thinking.delete(waiting);
    }
    if (way.status === 0) return void request.socket.destroy();
    response.writeHead(way.status, { 'content-type': 'application/json' });
    response.end(JSON.stringify(way.status === 200 ? { id } : (way.body ?? {})));
  }

  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return Object.assign(upstream, { port: (server.address() as AddressInfo).port });
}

/** What it knows by key: a request that was taken is answered again, and not taken twice. */
class Book {
  readonly #options: LabUpstreamOptions;
  readonly #known = new Map<string, Transaction>();
  readonly #ways: Random;

  constructor(options: LabUpstreamOptions) {
    this.#options = options;
    this.#ways = createRandom(Math.floor(options.random() * 2 ** 31));
  }

  ask(key: string, body: string, isCalm: boolean): { way: Way; id: string } {
    const way = isCalm ? (ways[0] as Way) : this.#pick();
    const known = this.#known.get(key);
    const id = `up-${key}`;
    if (known?.taken) {
      // The answer to a repeat may be lost, too.
      return { way: way.status === 0 ? way : (ways[0] as Way), id };
    }
    // What it refuses it refuses again.
    if (known?.mood.said === 'no') return { way: ways.find(({ said }) => said === 'no') as Way, id };
    const isOpen = known?.mood.said === 'unclear';
    // Whether a repeat is refused tells nothing of the first request, and nobody would be told so.
    const now = isOpen && way.said !== 'yes' ? (ways[3] as Way) : way;
    const one = isOpen ? known : this.#begin(key, body, now);
    one.taken = now.takes;
    return { way: now, id };
  }

  #begin(key: string, body: string, { name, said, weight }: Way): Transaction {
    const { transactions, clock, name: relay } = this.#options;
    const { to = [], cc = [], bcc = [], subject } = JSON.parse(body);
    const addresses = [to, cc, bcc].flat().map((one: string) => /<([^>]+)>/.exec(one)?.[1] ?? one);
    const at = { at: performance.now(), labAt: clock.now() };
    const one: Transaction = {
      number: transactions.length,
      relay,
      mood: { name, said, weight, mode: () => ({}) },
      asked: addresses,
      to: addresses,
      refused: [],
      dot: { messageId: null, sha256: null, subjects: [subject], ...at },
      taken: false,
    };
    transactions.push(one);
    this.#known.set(key, one);
    return one;
  }

  #pick(): Way {
    let at = this.#ways() * ways.reduce((sum, { weight }) => sum + weight, 0);
    for (const way of ways) {
      at -= way.weight;
      if (at < 0) return way;
    }
    return ways[0] as Way;
  }
}

async function read(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}
