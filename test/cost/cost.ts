/** Asks every field of every endpoint with every shape at growing sizes, and tells what costs the serving thread too much. */

import { Worker } from 'node:worker_threads';
import type { Hono } from 'hono';
import { limits } from '../../src/config/limits.ts';
import type { Bindings } from '../../src/http/call.ts';
import type { HttpFacade } from '../../src/http/facade.ts';
import { type FacadeParts, httpFacades } from '../../src/http/facades.ts';
import { openDatabase } from '../support/engine.ts';
import { startTestServer, type TestServer, testKey } from '../support/server.ts';
import type { Answer, Asked, Question } from './driver.ts';
import { type Case, judge } from './judge.ts';
import { listReads, type Read } from './reads.ts';
import { type Route, routesOf } from './record.ts';
import { textShapes, writeValue } from './shapes.ts';
import { type Door, fetchText, type Sizes, type Target, targetsOf } from './targets.ts';
import { isAsked } from './thinned.ts';

export type CostOptions = {
  sizes: Sizes;
  /** Instead of those there are; a negative control brings one of its own. */
  facades?: readonly HttpFacade<FacadeParts>[];
  /** Which routes; all where it is left out. */
  only?: (route: Route) => boolean;
  /** Less of a target, or nothing of it; `index` tells them apart. */
  narrow?: (target: Target, index: number) => Target | null;
  /** Instead of an empty database of its own. */
  databaseUrl?: string;
  /** How often a request that costs too much is asked before it counts; ten times where it is left out. */
  roundsMax?: number;
  /** Told as it goes. */
  onCostly?: (costly: Costly) => void;
  onTarget?: (target: string, questions: number, ms: number) => void;
};

export type Costly = Case & { why: string };
export type Costs = { targets: number; questions: number; costly: Costly[] };

export class CostRun {
  readonly #options: CostOptions;
  readonly #server: TestServer;
  readonly #app: Hono<Bindings>;
  readonly #worker: Worker;
  readonly #waiting = new Map<number, (answer: Answer) => void>();
  #ids = 0;

  private constructor(options: CostOptions, server: TestServer, app: Hono<Bindings>) {
    this.#options = options;
    this.#server = server;
    this.#app = app;
    const port = Number(new URL(server.url).port);
    this.#worker = new Worker(new URL('./driver.js', import.meta.url), { workerData: { port } });
    this.#worker.on('message', (answer: Answer) => this.#waiting.get(answer.id)?.(answer));
  }

  static async start(options: CostOptions): Promise<CostRun> {
    let seen: Hono<Bindings> | null = null;
    const facades = (options.facades ?? httpFacades).map((facade) => ({
      ...facade,
      addRoutes(app: Hono<Bindings>, ...rest: [never, never]) {
        seen = app;
        facade.addRoutes(app, ...rest);
      },
    }));
    const server = await startTestServer({
      // Nothing but requests: what is delivered, and what is done once a second, is measured elsewhere.
      environment: { ROLE: 'api', ...(options.databaseUrl ? { DATABASE_URL: options.databaseUrl } : {}) },
      limits: { renderMsMax: limits.renderMsMax },
      outside: { choresEveryMs: 3_600_000, facades: facades as never },
    });
    if (seen === null) throw new Error('the facades were given no app');
    return new CostRun(options, server, seen);
  }

  async stop(): Promise<void> {
    await this.#worker.terminate();
    await this.#server.stop();
  }

  get #terms() {
    return { countsWall: !this.#options.sizes.isQuick, roundsMax: this.#options.roundsMax ?? 10 };
  }

  get routes(): Route[] {
    return routesOf(this.#app).filter(this.#options.only ?? (() => true));
  }

  async all(): Promise<Costs> {
    const costs: Costs = { targets: 0, questions: 0, costly: [] };
    const door = await this.#openDoor();
    for (const [index, target] of (await this.#targets(door)).entries()) {
      const narrowed = (this.#options.narrow ?? ((one) => one))(target, index);
      if (narrowed) await this.#try(narrowed, costs);
    }
    return costs;
  }

  /** Two routes of which one is another name of the other are asked once where it has to be quick. */
  async #targets(door: Door): Promise<Target[]> {
    const targets: Target[] = [];
    const seen = new Set<string>();
    for (const route of this.routes) {
      const found = await targetsOf(door, route, this.#options.sizes);
      const isKnown = !isNew(seen, found.map(({ name }) => name.replace(route.path, '').replace('  ', ' ')).join());
      if (!(this.#options.sizes.isQuick && isKnown && found.length > 20)) targets.push(...found);
    }
    return targets;
  }

  /** What is stored is hostile, too: every read of a mail whose html, or text, is of each shape. */
  async reads(): Promise<Costs> {
    const costs: Costs = { targets: 0, questions: 0, costly: [] };
    const door = await this.#openDoor();
    const reads = await this.#readsOf(door);
    const size = this.#options.sizes.bodies.at(-1) ?? 0;
    for (const field of ['html', 'text']) {
      for (const shape of textShapes) {
        const stored = new Map<number, string>();
        for (const [index, read] of reads.entries()) {
          if (this.#options.sizes.isQuick && !isAsked(index, textShapes, shape)) continue;
          costs.targets += 1;
          const ask = async (of: number) => {
            const id = stored.get(of) ?? (await this.#store(field, shape, of));
            stored.set(of, id);
            const path = read.path(id);
            costs.questions += 1;
            return this.#ask({ method: 'GET', path, headers: read.headers, place: { in: 'nothing' } }, shape, of);
          };
          const why = await judge(ask, size, this.#terms);
          if (why) this.#note(costs, { target: `GET ${read.name} of a mail with ${field}`, shape, size, why });
        }
        await this.#forget();
      }
    }
    return costs;
  }

  async listReads(): Promise<Read[]> {
    const door = await this.#openDoor();
    const { json } = await this.#server.call('GET', '/emails?limit=100');
    const [newest] = json.data;
    // Of the middle of what is stored, where there is one.
    return listReads({ ...door, names: [newest.id, ...door.names] }, this.routes, json.data.at(-1)?.id ?? newest.id);
  }

  /** Milliseconds of the whole process, reading threads and all: the median of some. */
  async costOf(read: Read): Promise<number> {
    const took: number[] = [];
    for (let ask = 0; ask < readAsks; ask++) {
      const before = process.cpuUsage();
      await this.#ask({ method: 'GET', path: read.path, headers: read.headers, place: { in: 'nothing' } }, '', 0);
      const { user, system } = process.cpuUsage(before);
      took.push((user + system) / 1_000);
    }
    return took.sort((a, b) => a - b)[Math.floor(readAsks / 2)] ?? 0;
  }

  async #try(target: Target, costs: Costs): Promise<void> {
    const started = performance.now();
    const before = costs.questions;
    costs.targets += 1;
    for (const shape of target.shapes) {
      for (const size of target.sizes) {
        const ask = (of: number) => {
          costs.questions += 1;
          return this.#ask(target.asked, shape, of);
        };
        const why = await judge(ask, size, this.#terms);
        if (!why) continue;
        this.#note(costs, { target: target.name, shape, size, why });
        // What is larger takes longer.
        break;
      }
    }
    await this.#forget();
    this.#options.onTarget?.(target.name, costs.questions - before, performance.now() - started);
  }

  #note(costs: Costs, costly: Costly): void {
    costs.costly.push(costly);
    this.#options.onCostly?.(costly);
  }

  #ask(asked: Asked, shape: string, size: number): Promise<Answer> {
    this.#ids += 1;
    const id = this.#ids;
    return new Promise((resolve) => {
      this.#waiting.set(id, (answer) => {
        this.#waiting.delete(id);
        resolve(answer);
      });
      this.#worker.postMessage({ id, asked, shape, size } satisfies Question);
    });
  }

  async #store(field: string, shape: string, size: number): Promise<string> {
    const members = `"from":"a@example.com","to":["b@example.com"],"subject":"s","${field}":${writeValue(shape, size)}`;
    const { json, text } = await this.#server.call('POST', '/emails', `{${members}}`);
    if (!json?.id) throw new Error(`${shape} in ${field} was not accepted: ${text.slice(0, 200)}`);
    return json.id;
  }

  /** The routes that read an email by its id, found by asking all. */
  async #readsOf(door: Door) {
    const api = { authorization: `Bearer ${door.key}` };
    const id = await this.#store('html', 'letters', 10);
    const reads: { name: string; path: (id: string) => string; headers: Record<string, string> }[] = [];
    for (const { method, path } of this.routes) {
      if (method !== 'GET' || !/^[^:]*:\w+[^:]*$/.test(path)) continue;
      const headers: Record<string, string> = path.startsWith('/dashboard') ? { cookie: door.cookie } : api;
      for (const query of path.startsWith('/dashboard') ? ['', ...views] : ['']) {
        for (const spell of [plain, brevoUuid]) {
          const at = (of: string) => path.replace(/:\w+/, spell(of)) + query;
          if ((await fetchText(door, method, at(id), headers)).status !== 200) continue;
          reads.push({ name: `${path}${query}`, path: at, headers });
          break;
        }
      }
    }
    return reads;
  }

  async #openDoor(): Promise<Door> {
    const { url } = this.#server;
    const signedIn = await fetch(`${url}/dashboard/sign-in`, {
      method: 'POST',
      redirect: 'manual',
      headers: { origin: url },
      body: new URLSearchParams({ key: testKey }),
    });
    const cookie = signedIn.headers.get('set-cookie')?.split(';')[0] ?? '';
    const { text } = await fetchText({ url }, 'GET', '/dashboard/idempotency', { cookie });
    const formToken = /name="token" value="([^"]+)"/.exec(text)?.[1] ?? '';
    return { url, key: testKey, cookie, formToken, names: await this.#makeWorld() };
  }

  /** One of each thing that an address can name. */
  async #makeWorld(): Promise<string[]> {
    const { server } = { server: this.#server };
    const sent = await server.call('POST', '/emails', {
      from: 'a@example.com',
      to: ['ann@example.com'],
      subject: 's',
      html: '<p>Hi</p>',
      attachments: [{ filename: 'a.txt', content: 'aGVsbG8=' }],
    });
    const id: string = sent.json.id;
    const files = await server.call('GET', `/emails/${id}/attachments`);
    const webhook = await server.call('POST', '/webhooks', {
      endpoint: 'https://example.com/hook',
      events: ['email.sent', 'suppression.added'],
    });
    await server.call('POST', '/v3/webhooks', { url: 'https://example.com/hook', events: ['delivered'] });
    await server.call('POST', '/v3/senders', { name: 'Shop', email: 'shop2@example.com' });
    await server.call('POST', '/suppressions', { email: 'gone@example.com' });
    const ofWebhook = `/webhooks/${webhook.json.id}/events`;
    const told = (await server.call('GET', ofWebhook)).json.data?.[0]?.id;
    return [id, brevoUuid(id), webhook.json.id, '1', 'gone@example.com', files.json.data[0].id, told ?? 'x'];
  }

  /** Mail that piles up would be measured with the next; what addresses name stays. */
  async #forget(): Promise<void> {
    const database = await openDatabase(this.#server.databaseUrl);
    const [first] = await database.all<{ id: string }>('select id from emails order by id limit 1');
    await database.write(async (tx) => {
      for (const table of ['attachments', 'deliveries', 'events']) {
        await tx.run(`delete from ${table} where email_id <> ?`, first?.id ?? '');
      }
      await tx.run('delete from emails where id <> ?', first?.id ?? '');
      await tx.run('delete from templates where id > 1');
    });
    await database.close();
  }
}

function isNew(seen: Set<string>, name: string): boolean {
  const before = seen.size;
  return seen.add(name).size > before;
}

const readAsks = 11;

const views = ['html', 'phone', 'text', 'headers', 'source', 'files'].map((view) => `?view=${view}`);
const plain = (id: string) => id;

/** As Brevo's log names the first recipient of an email. */
function brevoUuid(id: string): string {
  return `${id.slice(0, 14)}8${id.slice(15, 19)}8000${id.slice(23)}`;
}
