/** A life of several processes on one PostgreSQL under load, with a proxy in between, and whatever may befall any of them. */

import assert from 'node:assert/strict';
import { type PostgresProxy, startPostgresProxy } from '../support/postgres-proxy.ts';
import { startPostgres } from '../support/postgres-server.ts';
import { createTemp, type Temp } from '../support/temp.ts';
import { postgresBooks } from './books.ts';
import { pause } from './load.ts';
import { type Ended, type Program, startProgram } from './program.ts';
import { type LifeOptions, type Surroundings, surround, World } from './world.ts';

type Role = 'api' | 'worker';

export type FleetOptions = LifeOptions & { apis: number; workers: number };

/** A place for one process: whatever ends it, another one takes its place. */
export type Member = {
  role: Role;
  /** As its DATABASE_URL has it. */
  databaseUrl: string;
  program: Program;
  url: string | null;
  isEnding: boolean;
  /** How often the way to PostgreSQL had been disturbed when it started. */
  disturbances: number;
};

/** The servers below a fleet, and the ways that lead to them: each process has one of these, in turns. */
export type Ground = {
  readonly ways: string[];
  /** Of the database, past what may break on the way. */
  url(): string;
  /** Where there is one way, and it is made to break. */
  readonly proxy?: PostgresProxy;
  /** SIGKILL to PostgreSQL. */
  kill(): Promise<void>;
  /** On the same data. */
  start(): Promise<void>;
  stop(): Promise<void>;
};

/** Between two looks at who hands off what: shorter than anybody may take a silent process for dead. */
const lookMs = 100;

/** A start takes a second, and waits for PostgreSQL for fifteen. */
const upMsMax = 90_000;

/** The lab's own server does its chores this often where its clock runs faster: they bound how fast it may run. */
const choresMs = 50;

/** As the program's own recovery words it. */
const takenOver = 'The process that sent it ended before the relay answered.';

export class Fleet extends World {
  readonly members: Member[] = [];
  readonly ground: Ground;
  /** What will yet befall some process. */
  readonly pending: Promise<void>[] = [];
  /** What a process did that nobody made it do. */
  readonly violations: string[] = [];
  readonly #temp: Temp = createTemp();
  readonly #command: string[] | undefined;
  readonly #dead = new Set<number>();
  /** Who was seen handing a delivery off, by its email and part. */
  readonly #handsOff = new Map<string, number>();
  /** Attempts that were seen under way, their gate still shut, and the dead that had them. */
  readonly #underWay = new Map<string, { email: string; pid: number }>();
  #isDisturbed = false;
  #disturbances = 0;
  #isParked = false;
  #isOver = false;

  static async start(options: FleetOptions, ground?: Ground): Promise<Fleet> {
    const fleet = new Fleet(options, await surround(options), ground ?? (await oneServer()));
    const roles = [...Array<Role>(options.apis).fill('api'), ...Array<Role>(options.workers).fill('worker')];
    // At once: one of them migrates.
    for (const role of roles) fleet.#join(role);
    await fleet.allUp();
    void fleet.#lookOn();
    return fleet;
  }

  private constructor(options: FleetOptions, surroundings: Surroundings, ground: Ground) {
    const [way] = ground.ways;
    assert(way, 'some way leads to PostgreSQL');
    super(
      options,
      surroundings,
      postgresBooks(() => ground.url(), way),
    );
    this.ground = ground;
    this.#command = options.command;
  }

  protected target(): string | null {
    const urls = this.members.flatMap(({ role, url }) => (role === 'api' && url !== null ? [url] : []));
    return urls[Math.floor(this.random() * urls.length)] ?? null;
  }

  someMember(): Member {
    return this.members[Math.floor(this.random() * this.members.length)] as Member;
  }

  get proxy(): PostgresProxy {
    assert(this.ground.proxy, 'the way is made to break');
    return this.ground.proxy;
  }

  /** SIGKILL or SIGTERM. The next one starts in its place as soon as it has ended. */
  end(member: Member, signal: 'SIGKILL' | 'SIGTERM'): void {
    member.isEnding = true;
    member.program.signal(signal);
  }

  /** Once nothing more befalls anybody. */
  async allUp(): Promise<void> {
    await Promise.all(this.pending);
    const giveUpAt = performance.now() + upMsMax;
    for (;;) {
      const away = this.members.find(({ url, isEnding }) => url === null || isEnding);
      if (!away) return;
      assert(performance.now() < giveUpAt, `a process does not come up:\n${away.program.words()}`);
      await pause(10);
    }
  }

  /** What is between the processes and PostgreSQL, or that itself: a start that is under way meanwhile may fail for it. */
  async disturb<T>(work: () => Promise<T>): Promise<T> {
    this.#isDisturbed = true;
    const done = await work();
    this.#isDisturbed = false;
    this.#disturbances += 1;
    return done;
  }

  /** COMMITs that are cut off disturb whenever they come. */
  #disturbed(): number {
    return this.#disturbances + (this.ground.proxy?.cuts ?? 0);
  }

  #join(role: Role): void {
    const { ways } = this.ground;
    const databaseUrl = ways[this.members.length % ways.length] ?? '';
    const program = this.#spawn({ role, databaseUrl });
    const disturbances = this.#disturbed();
    const member: Member = { role, databaseUrl, program, url: null, isEnding: false, disturbances };
    this.members.push(member);
    this.#watch(member);
  }

  #spawn({ role, databaseUrl }: Pick<Member, 'role' | 'databaseUrl'>): Program {
    const own = { ROLE: role, STATE_DIR: this.#temp.path('state'), LAB_CHORES_MS: String(choresMs) };
    const environment = { ...this.setting.environment, ...own };
    return startProgram({ ...this.setting, databaseUrl, environment }, this.#command);
  }

  #watch(member: Member): void {
    const { program } = member;
    void program.listening.then((url) => {
      if (!member.isEnding) member.url = url;
    });
    void program.ended.then((ended) => this.#replace(member, ended));
  }

  #replace(member: Member, { code, signal }: Ended): void {
    const { program, isEnding, url, disturbances } = member;
    this.#dead.add(program.pid);
    member.url = null;
    if (this.#isOver) return;
    const mayFail = url === null && (this.#isDisturbed || disturbances < this.#disturbed());
    if (!isEnding && !mayFail) this.violations.push(`a process ended by itself:\n${program.words()}`);
    // One that is stopped while it starts has nothing to end well.
    if (isEnding && signal === null && code !== 0) this.violations.push(`a stop ended with ${code}`);
    if (!this.#isParked) this.#restart(member);
  }

  #restart(member: Member): void {
    member.program = this.#spawn(member);
    member.isEnding = false;
    member.disturbances = this.#disturbed();
    this.#watch(member);
  }

  /** All stop before any starts again: on one database all clocks agree. */
  protected override async skipAhead(): Promise<void> {
    if (this.clock.speed === 1) return;
    this.#isParked = true;
    for (const member of this.members) this.end(member, 'SIGTERM');
    await Promise.all(this.members.map(({ program }) => program.ended));
    this.#isParked = false;
    await this.skip();
    for (const member of this.members) this.#restart(member);
    await this.allUp();
  }

  async #lookOn(): Promise<void> {
    while (!this.#isOver) {
      try {
        await this.#look();
      } catch {
        // PostgreSQL is away, or has no schema yet.
      }
      await pause(lookMs);
    }
  }

  /**
   * Notes what the dead were handing off when they died. What others have taken from a silent process is in doubt only until its
   * own late verdict comes: if it died meanwhile, none will.
   */
  async #look(): Promise<void> {
    const seen = await this.books.rows<{ email_id: string; part: number; pid: string | null }>(
      `select email_id, part, split_part(worker, '.', 1) as pid from deliveries
       where state = 'handoff' or (state = 'in_doubt' and reply = '${takenOver}')`,
    );
    await this.#lookAtAttempts();
    for (const { email_id, part, pid } of seen) {
      const name = `${email_id} ${part}`;
      if (pid !== null) this.#handsOff.set(name, Number(pid));
      if (this.#dead.has(this.#handsOff.get(name) ?? 0)) this.interrupted.add(email_id);
    }
  }

  async #lookAtAttempts(): Promise<void> {
    const seen = await this.books.rows<{ email_id: string; attempt: number; pid: string }>(
      `select email_id, attempt, split_part(worker, '.', 1) as pid from deliveries
       where state = 'sending' and worker is not null`,
    );
    for (const { email_id, attempt, pid } of seen) {
      this.#underWay.set(`${email_id} ${attempt}`, { email: email_id, pid: Number(pid) });
    }
    for (const [name, { email, pid }] of this.#underWay) {
      if (!this.#dead.has(pid)) continue;
      this.#underWay.delete(name);
      this.noteCutShort(email);
    }
  }

  protected override async lastLook(): Promise<void> {
    await this.#look();
  }

  async destroy(): Promise<void> {
    this.#isOver = true;
    this.load.abandon();
    for (const { program } of this.members) program.signal('SIGKILL');
    await Promise.all(this.members.map(({ program }) => program.ended));
    await this.close();
    await this.ground.stop();
    this.#temp.remove();
  }
}

async function oneServer(): Promise<Ground> {
  const server = await startPostgres();
  const url = await server.createDatabase();
  const proxy = await startPostgresProxy(url);
  return {
    ways: [proxy.url],
    proxy,
    url: () => url,
    kill: () => server.kill(),
    start: () => server.start(),
    async stop() {
      await proxy.close();
      await server.stop();
    },
  };
}
