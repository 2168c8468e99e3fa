/** Several processes of the real program on one PostgreSQL, clients that retry, and what may befall any of them. */

import pg from 'pg';
import { Load, pause } from '../lab/load.ts';
import { type Program, startProgram } from '../lab/program.ts';
import { type PostgresProxy, startPostgresProxy } from '../support/postgres-proxy.ts';
import { type PostgresServer, startPostgres } from '../support/postgres-server.ts';
import { createRandom, type Random } from '../support/random.ts';
import { type Sink, startSink } from '../support/smtp-sink.ts';

export const mischiefs = ['kill', 'stand still', 'end sessions', 'cut commits', 'kill PostgreSQL'] as const;
export type Mischief = (typeof mischiefs)[number];

export type FleetOptions = {
  apis: number;
  workers: number;
  /** Operations to begin; each is retried until it is answered, and once more at the end. */
  requests: number;
  clients: number;
  seed: number;
  /** Done one after the other, at random, until all requests are answered. */
  mischief: readonly Mischief[];
};

export type Findings = {
  /** What a client saw that may not be. */
  violations: string[];
  requests: number;
  replays: number;
  done: Record<string, number>;
  cuts: number;
  /** Stored under the keys, of the emails the answers name. */
  emails: number;
  /** Message-IDs the sink has taken more than once. */
  duplicates: string[];
  /** Acknowledged, and neither at the sink nor held. */
  lost: string[];
  inDoubt: number;
};

type Role = 'api' | 'worker';
type Member = { role: Role; program: Program; url: string | null };

/** How long one that stands still does so: over the lease of a beat now and then, so that others take over. */
const stillMs = [200, 3_000, 17_000] as const;
const mischiefPauseMs = 400;
const settleTimeoutMs = 180_000;

export async function runFleet(options: FleetOptions): Promise<Findings> {
  const fleet = await Fleet.start(options);
  try {
    await fleet.answerAll();
    return await fleet.examine();
  } finally {
    await fleet.destroy();
  }
}

class Fleet {
  readonly #options: FleetOptions;
  readonly #random: Random;
  readonly #server: PostgresServer;
  readonly #url: string;
  readonly #proxy: PostgresProxy;
  readonly #sink: Sink;
  readonly #load: Load;
  readonly #members: Member[] = [];
  readonly #done: Record<string, number> = {};

  static async start(options: FleetOptions): Promise<Fleet> {
    const server = await startPostgres();
    const url = await server.createDatabase();
    const fleet = new Fleet(options, server, url, await startPostgresProxy(url), await startSink({ keepBytes: false }));
    await fleet.#startAll();
    return fleet;
  }

  private constructor(options: FleetOptions, server: PostgresServer, url: string, proxy: PostgresProxy, sink: Sink) {
    this.#options = options;
    this.#random = createRandom(options.seed);
    this.#server = server;
    this.#url = url;
    this.#proxy = proxy;
    this.#sink = sink;
    this.#load = new Load({ random: this.#random, target: () => this.#someApi(), clients: options.clients });
  }

  async #startAll(): Promise<void> {
    const roles: Role[] = [
      ...Array<Role>(this.#options.apis).fill('api'),
      ...Array<Role>(this.#options.workers).fill('worker'),
    ];
    // At once: one of them migrates.
    await Promise.all(
      roles.map(async (role) => {
        const member: Member = { role, program: this.#spawn(role), url: null };
        this.#members.push(member);
        await this.#listening(member);
      }),
    );
  }

  #spawn(role: Role): Program {
    const environment = { ROLE: role, DATABASE_URL: this.#proxy.url, STATE_DIR: `${this.#server.folder}-state` };
    return startProgram({ databasePath: '', relayUrl: `smtp://127.0.0.1:${this.#sink.port}`, environment });
  }

  /** Starts it again where it did not come up: PostgreSQL may have been away. */
  async #listening(member: Member): Promise<void> {
    for (let tries = 0; tries < 10; tries += 1) {
      member.url = await member.program.listening;
      if (member.url !== null) return;
      member.program = this.#spawn(member.role);
    }
    throw new Error(`a process does not start: ${member.program.words()}`);
  }

  #someApi(): string | null {
    const urls = this.#members.filter(({ role, url }) => role === 'api' && url !== null).map(({ url }) => url);
    return urls[Math.floor(this.#random() * urls.length)] ?? null;
  }

  async answerAll(): Promise<void> {
    this.#load.start();
    const { requests, mischief } = this.#options;
    while (this.#load.operations.length < requests) {
      const next = mischief[Math.floor(this.#random() * mischief.length)];
      if (next) await this.#do(next);
      await pause(mischief.length > 0 ? mischiefPauseMs * this.#random() : 20);
    }
    await this.#load.end();
    await this.#load.repeatAll();
  }

  async #do(mischief: Mischief): Promise<void> {
    this.#done[mischief] = (this.#done[mischief] ?? 0) + 1;
    const member = this.#members[Math.floor(this.#random() * this.#members.length)] as Member;
    switch (mischief) {
      case 'kill':
        member.program.signal('SIGKILL');
        await member.program.ended;
        member.program = this.#spawn(member.role);
        return this.#listening(member);
      case 'stand still': {
        const { program } = member;
        program.signal('SIGSTOP');
        // Others go on meanwhile; whether it still lives when it is woken does not matter.
        setTimeout(() => program.signal('SIGCONT'), stillMs[Math.floor(this.#random() * stillMs.length)]);
        return;
      }
      case 'end sessions':
        return this.#ask(`select pg_terminate_backend(pid) from
          (select pid from pg_stat_activity where application_name like 'sendonce%' order by random() limit 3) as picked`);
      case 'cut commits':
        return this.#proxy.cutNext(this.#random() < 0.5 ? 'before' : 'after');
      case 'kill PostgreSQL':
        await this.#server.kill();
        await pause(500 * this.#random());
        return this.#server.start();
      default:
        return mischief satisfies never;
    }
  }

  async #ask(sql: string): Promise<void> {
    await this.#rows(sql);
  }

  async #rows<R extends pg.QueryResultRow>(sql: string): Promise<R[]> {
    const client = new pg.Client({ connectionString: this.#url });
    client.on('error', () => {});
    await client.connect();
    try {
      return (await client.query<R>(sql)).rows;
    } finally {
      await client.end();
    }
  }

  async examine(): Promise<Findings> {
    await this.#settled();
    const deliveries = await this.#rows<{ email_id: string; state: string }>('select email_id, state from deliveries');
    const inDoubt = new Set(deliveries.filter(({ state }) => state === 'in_doubt').map(({ email_id }) => email_id));
    const acknowledged = this.#load.operations.flatMap(({ answer }) => idsOf(answer ?? '[]'));
    const [stored] = await this.#rows<{ emails: string }>('select count(*) as emails from emails');
    return {
      violations: [...this.#load.violations, ...(await this.#sameCount(acknowledged.length, Number(stored?.emails)))],
      requests: this.#load.operations.length,
      replays: this.#load.replays,
      done: this.#done,
      cuts: this.#proxy.cuts,
      emails: Number(stored?.emails),
      duplicates: this.#sink.duplicates(),
      lost: acknowledged.filter((id) => this.#sink.copies(`<${id}@resend.dev>`) === 0 && !inDoubt.has(id)),
      inDoubt: inDoubt.size,
    };
  }

  /** Every operation is answered by now: what is stored is what the answers name, and nothing else. */
  async #sameCount(acknowledged: number, stored: number): Promise<string[]> {
    return acknowledged === stored ? [] : [`${acknowledged} emails were acknowledged, ${stored} are stored`];
  }

  async #settled(): Promise<void> {
    const giveUpAt = performance.now() + settleTimeoutMs;
    for (;;) {
      const open = await this.#rows<{ state: string }>(
        "select state from deliveries where state in ('queued', 'sending', 'handoff')",
      );
      if (open.length === 0) return;
      if (performance.now() > giveUpAt) throw new Error(`${open.length} deliveries do not settle`);
      await pause(100);
    }
  }

  async destroy(): Promise<void> {
    this.#load.abandon();
    for (const { program } of this.#members) {
      program.signal('SIGCONT');
      program.signal('SIGKILL');
    }
    await Promise.all(this.#members.map(({ program }) => program.ended));
    await this.#proxy.close();
    await this.#sink.close();
    await this.#server.stop();
  }
}

function idsOf(answer: string): string[] {
  const parsed = JSON.parse(answer) as { id?: string; data?: { id: string }[] };
  return parsed.data ? parsed.data.map(({ id }) => id) : [parsed.id ?? ''];
}
