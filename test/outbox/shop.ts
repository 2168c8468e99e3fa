/** A shop under fire: an app and a drain on one database, a server whose answers get lost, and what must be true of them in the end. */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { runDrain } from '../../src/client/outbox/drain.ts';
import { startLossyProxy } from '../support/lossy-proxy.ts';
import { noneOpen } from '../support/open.ts';
import { program } from '../support/program.ts';
import { createRandom } from '../support/random.ts';
import { testKey } from '../support/server.ts';
import { type Sink, startSink } from '../support/smtp-sink.ts';
import { createTemp } from '../support/temp.ts';
import { type Ground, openGround, type Scope } from './ground.ts';

import type { Language } from './languages.ts';

export type DrainKind = 'real' | 'mints-keys' | 'marks-first';

/** What must be empty, but for what a server that was killed is in doubt about. */
export type Books = {
  committed: number;
  /** Committed, and never accepted. */
  lost: string[];
  /** Accepted more than once. */
  doubled: string[];
  /** Accepted, and rolled back or never written. */
  unasked: string[];
  /** Left more than once. */
  copies: string[];
  /** Groups that left in another order than they were written in. */
  disordered: string[];
  /** Accepted, and not seen at the sink, nor in doubt. */
  unseen: string[];
};

export type ShopOptions = { seed: number; kind?: DrainKind; losses?: number };

/** A server and the relay behind it, which several shops may use one after the other. */
export type Site = { server: ServerProcess; sink: Sink };

export async function openSite(scope: Scope): Promise<Site> {
  const sink = await startSink();
  scope.after(() => sink.close());
  return { sink, server: await ServerProcess.start(scope, sink.port) };
}

let shops = 0;

export class Shop {
  readonly ground: Ground;
  readonly random: () => number;
  readonly #kind: DrainKind;
  readonly #sink: Sink;
  readonly #server: ServerProcess;
  readonly url: string;
  /** What its orders begin with: no other shop's do. */
  readonly #start = `shop${++shops}/`;
  #next = 0;

  static async open(scope: Scope, { server, sink }: Site, options: ShopOptions): Promise<Shop> {
    const { seed, kind = 'real', losses = 0.3 } = options;
    const ground = await openGround(scope);
    await ground.database.script('create table orders (id text primary key);');
    const random = createRandom(seed);
    const lossy = await startLossyProxy(scope, server.url, () => random() < losses);
    return new Shop(ground, { random, kind, sink, server, url: lossy.url });
  }

  private constructor(
    ground: Ground,
    parts: { random: () => number; kind: DrainKind; sink: Sink; server: ServerProcess; url: string },
  ) {
    this.ground = ground;
    this.random = parts.random;
    this.url = parts.url;
    this.#kind = parts.kind;
    this.#sink = parts.sink;
    this.#server = parts.server;
  }

  /** An app that writes so many orders once it is let go. */
  startWriter(scope: Scope, count: number): Promise<Victim> {
    const first = this.#next;
    this.#next += count;
    return startVictim(scope, 'writer-main', [this.ground.url, this.#start, String(first), String(count)]);
  }

  startDrain(scope: Scope, isOnce = false): Promise<Victim> {
    return startVictim(scope, 'drainer-main', [this.ground.url, this.url, this.#kind, ...(isOnce ? ['once'] : [])]);
  }

  /** An order that a program in another language writes. Tells the language's name. */
  writeIn(language: Language): string {
    language.write(this.ground.database.engine, this.ground.url, `${this.#start}${language.name}`);
    return language.name;
  }

  killServer(): Promise<void> {
    return this.#server.killAndStart();
  }

  /** Lets everything end that was begun, and looks at all of it. */
  async close(): Promise<Books> {
    if (this.#kind === 'real') await this.#drainAll();
    const accepted = await this.#accepted();
    const orders = await this.ground.database.all<{ id: string }>('select id from orders');
    const committed = new Set(orders.map(({ id }) => id));
    const counts = countOf(accepted.map(({ subject }) => subject));
    const copies = countOf(
      this.#sink.received.map(({ bytes }) => subjectOf(bytes)).filter((one) => one.startsWith(this.#start)),
    );
    return {
      committed: committed.size,
      lost: [...committed].filter((id) => !counts.has(id)),
      doubled: [...counts].filter(([, count]) => count > 1).map(([id]) => id),
      unasked: [...counts.keys()].filter((id) => !committed.has(id)),
      copies: [...copies].filter(([id, count]) => count > (counts.get(id) ?? 0)).map(([id]) => id),
      disordered: await this.#disordered(accepted),
      unseen: accepted.filter((one) => !one.isHeld && !copies.has(one.subject)).map(({ subject }) => subject),
    };
  }

  async #drainAll(): Promise<void> {
    const terms = { to: this.#server.url, key: testKey, once: true, backOffMaxMs: 20 };
    const waiting = `select count(*) as count from sendonce_outbox where state = 'waiting'`;
    for (;;) {
      await runDrain(this.ground.database, terms);
      const [row] = await this.ground.database.all<{ count: number }>(waiting);
      if (Number(row?.count) === 0) return;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  /** Oldest first, once nothing is on its way any more. */
  async #accepted(): Promise<{ subject: string; isHeld: boolean }[]> {
    while (!noneOpen(await this.#server.text('/metrics'), ['queued', 'sending', 'handoff'])) {
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    const emails: { subject: string; isHeld: boolean }[] = [];
    for (let after = ''; ; ) {
      const { data, has_more } = JSON.parse(await this.#server.text(`/emails?limit=100${after}`));
      for (const { subject, in_doubt } of data) {
        if (subject.startsWith(this.#start)) emails.push({ subject, isHeld: in_doubt === true });
      }
      if (!has_more) return emails.reverse();
      after = `&after=${data.at(-1).id}`;
    }
  }

  async #disordered(accepted: { subject: string }[]): Promise<string[]> {
    const rows = await this.ground.database.all<{ id: string; ordering: string }>(
      `select id, ordering from sendonce_outbox where ordering is not null and state = 'sent' order by seq`,
    );
    const places = new Map(accepted.map(({ subject }, index) => [subject, index]));
    const last = new Map<string, number>();
    return rows.flatMap(({ id, ordering }) => {
      const place = places.get(id) ?? 0;
      const before = last.get(ordering) ?? -1;
      last.set(ordering, Math.max(place, before));
      return place < before ? [id] : [];
    });
  }
}

export type Victim = {
  pid: number;
  /** It does nothing before. */
  go(): void;
  /** It has ended by itself, or is about to. */
  isDone(): boolean;
  ended: Promise<unknown>;
  kill(): Promise<void>;
};

async function startVictim(scope: Scope, name: string, words: string[]): Promise<Victim> {
  const path = fileURLToPath(new URL(`./${name}.js`, import.meta.url));
  const child = spawn(process.execPath, [path, ...words], { stdio: ['pipe', 'pipe', 'inherit'] });
  // It may be dead before it has read that.
  child.stdin.on('error', () => {});
  const ended = once(child, 'exit');
  scope.after(() => child.kill('SIGKILL'));
  let isDone = false;
  await new Promise<void>((resolve, reject) => {
    createInterface({ input: child.stdout }).on('line', (line) => {
      if (line === 'ready') resolve();
      if (line === 'done') isDone = true;
    });
    void ended.then(() => reject(new Error(`${name} ended before it began`)));
  });
  return {
    pid: child.pid ?? 0,
    go: () => void child.stdin.write('go\n'),
    isDone: () => isDone,
    ended,
    async kill() {
      child.kill('SIGKILL');
      await ended;
    },
  };
}

class ServerProcess {
  readonly url: string;
  readonly #environment: Record<string, string>;
  #child: ChildProcess | null = null;

  static async start(scope: Scope, sinkPort: number): Promise<ServerProcess> {
    const temp = createTemp();
    const port = await freePort();
    const server = new ServerProcess(port, {
      PATH: process.env.PATH ?? '',
      PORT: String(port),
      DATABASE_URL: `sqlite:${temp.path('server.db')}`,
      STATE_DIR: temp.path('.'),
      SENDONCE_API_KEY: testKey,
      RELAY_URL: `smtp://127.0.0.1:${sinkPort}`,
      LOG_LEVEL: 'silent',
    });
    scope.after(async () => {
      await server.#kill();
      temp.remove();
    });
    await server.#run();
    return server;
  }

  private constructor(port: number, environment: Record<string, string>) {
    this.url = `http://127.0.0.1:${port}`;
    this.#environment = environment;
  }

  async killAndStart(): Promise<void> {
    await this.#kill();
    await this.#run();
  }

  async text(path: string): Promise<string> {
    return (await fetch(`${this.url}${path}`, { headers: { authorization: `Bearer ${testKey}` } })).text();
  }

  async #kill(): Promise<void> {
    const child = this.#child;
    this.#child = null;
    if (!child || child.exitCode !== null) return;
    child.kill('SIGKILL');
    await once(child, 'exit');
  }

  async #run(): Promise<void> {
    const stdio = ['ignore', 'ignore', 'inherit'] as const;
    this.#child = spawn(process.execPath, [program], { env: this.#environment, stdio: [...stdio] });
    while (!(await fetch(`${this.url}/healthz`).catch(() => null))?.ok) {
      if (this.#child.exitCode !== null) throw new Error('the server ended');
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}

function countOf(names: string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  return counts;
}

function subjectOf(bytes: Buffer): string {
  return /^subject: (.*)$/im.exec(bytes.toString('latin1'))?.[1]?.trim() ?? '';
}
