/** Bounces, success notices, delays and complaints come back late, twice, and while processes are killed: by the listener, a pipe and a mailbox. */

import { ImapServer } from '../support/imap-server.ts';
import { startPostgres } from '../support/postgres-server.ts';
import { createRandom, type Random } from '../support/random.ts';
import { testKey } from '../support/server.ts';
import { type Sink, startSink } from '../support/smtp-sink.ts';
import { createTemp, type Temp } from '../support/temp.ts';
import { type Books, deliveriesIn, postgresBooks, sqliteBooks, underWayIn } from './books.ts';
import { Bouncer } from './bouncer.ts';
import { LabClock } from './lab-clock.ts';
import { fleetSpeed, labServer } from './lab-server.ts';
import { pause } from './load.ts';
import { type Accepted, judgeNoticed, subjectIn } from './noticed.ts';
import { type Program, type Setting, startProgram } from './program.ts';
import type { Row } from './row.ts';

export type NoticesOptions = {
  seed: number;
  kills: number;
  engine: 'sqlite' | 'postgres';
  command?: string[];
  onProgress?: (text: string) => void;
};

const mailsPerRound = 25;
/** One dot in so many is taken and never answered. */
const unansweredShare = 0.2;
/** How long a round is let alone before somebody is killed. */
const roundMs = 500;
/** What the clock goes on by between two rounds, where nobody serves: a notice may come a day late. */
const skippedMs = 6 * 60 * 60_000;
const drainMs = 120_000;

export async function runLateNotices(options: NoticesOptions): Promise<Row> {
  const world = await NoticeWorld.start(options);
  try {
    for (let round = 0; round < options.kills; round++) {
      await world.round(round);
      options.onProgress?.(`notices: ${round + 1} of ${options.kills} kills`);
    }
    return await world.end();
  } finally {
    await world.close();
  }
}

type Surroundings = { sink: Sink; imap: ImapServer; books: Books; temp: Temp; closing: (() => unknown)[] };

async function openPostgres(closing: (() => unknown)[]): Promise<Books> {
  const postgres = await startPostgres();
  closing.push(() => postgres.stop());
  const url = await postgres.createDatabase();
  return postgresBooks(() => url, url);
}

class NoticeWorld {
  readonly #options: NoticesOptions;
  readonly #random: Random;
  readonly #sink: Sink;
  readonly #imap: ImapServer;
  readonly #books: Books;
  readonly #bouncer: Bouncer;
  readonly #clock = new LabClock(fleetSpeed);
  readonly #accepted: Accepted[] = [];
  readonly #closing: (() => unknown)[];
  readonly #folder: Temp['path'];
  readonly #members: Member[];
  /** Handed off when somebody was killed, and what the relay did not answer. */
  readonly #interrupted = new Set<string>();
  readonly #unanswered = new Set<number>();
  #mails = 0;

  static async start(options: NoticesOptions): Promise<NoticeWorld> {
    const temp = createTemp();
    const [sink, imap] = [await startSink(), await new ImapServer().start()];
    const closing: (() => unknown)[] = [() => temp.remove(), () => sink.close(), () => imap.stop()];
    const books = options.engine === 'sqlite' ? sqliteBooks(temp.path('lab.db')) : await openPostgres(closing);
    return new NoticeWorld(options, { sink, imap, books, temp, closing });
  }

  private constructor(options: NoticesOptions, { sink, imap, books, temp, closing }: Surroundings) {
    const random = createRandom(options.seed);
    this.#options = options;
    this.#random = random;
    this.#sink = sink;
    this.#imap = imap;
    this.#books = books;
    this.#closing = closing;
    this.#folder = temp.path;
    sink.behave = ({ transaction }) => {
      if (random() >= unansweredShare) return {};
      this.#unanswered.add(transaction);
      return { dot: { accept: true, leave: 'close' } };
    };
    const count = options.engine === 'sqlite' ? 1 : 2;
    this.#members = Array.from({ length: count }, (_, index) => new Member(this.#setting(index), options.command));
    const port = () => this.#pickUp()?.mailPort ?? null;
    this.#bouncer = new Bouncer({ random, imap, port, setting: this.#setting(count) });
  }

  #setting(index: number): Setting & { environment: Record<string, string> } {
    return {
      databaseUrl: this.#books.url,
      relayUrl: `smtp://127.0.0.1:${this.#sink.port}`,
      environment: {
        BOUNCE_DOMAIN: 'back.example.com',
        BOUNCE_IMAP_URL: this.#imap.url,
        BOUNCE_NOTIFY: 'failure,delay,success',
        LISTEN_SMTP: `127.0.0.1:${20_000 + ((process.pid * 7 + index * 13) % 10_000)}`,
        STATE_DIR: this.#folder(`state-${index}`),
        LAB_SPEED: String(this.#clock.speed),
        LAB_EPOCH: String(this.#clock.epoch),
        LAB_CHORES_MS: '50',
      },
    };
  }

  #pickUp(): Member | null {
    const up = this.#members.filter(({ url }) => url !== null);
    return up[Math.floor(this.#random() * up.length)] ?? null;
  }

  /** Mails are sent and notices brought; in the midst of it somebody is killed. */
  async round(round: number): Promise<void> {
    await this.#raise();
    let isOver = false;
    const bringing = this.#bouncer.bring(round, () => isOver);
    const sending = this.#send();
    await pause(roundMs * (0.3 + 1.4 * this.#random()));
    const victims =
      this.#random() < 0.3 ? this.#members : this.#members.slice(0, 1 + Math.floor(this.#random() * 0.99));
    await this.#kill(victims);
    this.#members.push(...this.#members.splice(0, 1));
    await this.#raise();
    await sending;
    isOver = true;
    await bringing;
    this.#bouncer.plan(this.#sink.received, round);
    if (this.#random() < 0.3) await this.#sleep();
  }

  /** Nobody serves for hours. */
  async #sleep(): Promise<void> {
    await this.#kill(this.#members);
    this.#clock.skip(skippedMs);
  }

  async #kill(victims: readonly Member[]): Promise<void> {
    await Promise.all(victims.map((one) => one.kill()));
    for (const id of await deliveriesIn(this.#books, 'handoff')) this.#interrupted.add(id);
  }

  #raise(): Promise<unknown> {
    const epoch = String(this.#clock.epoch);
    return Promise.all(this.#members.map((one) => one.up(epoch)));
  }

  /** As SDKs do: under a key, until it is answered. */
  async #send(): Promise<void> {
    const one = async () => {
      const subject = `mail ${++this.#mails}`;
      const many = this.#random() < 0.3 ? 3 : 1;
      const to = Array.from({ length: many }, (_, index) => `r${index}.m${this.#mails}@example.com`);
      this.#accepted.push({ id: await this.#accept(subject, to), subject, to });
    };
    for (let sent = 0; sent < mailsPerRound; sent += 5) await Promise.all(Array.from({ length: 5 }, one));
  }

  async #accept(subject: string, to: string[]): Promise<string> {
    const body = JSON.stringify({ from: 'shop@acme.example', to, subject, text: 'x' });
    const headers = {
      authorization: `Bearer ${testKey}`,
      'content-type': 'application/json',
      'idempotency-key': subject,
    };
    for (;;) {
      const url = this.#pickUp()?.url;
      const reply = url ? await fetch(`${url}/emails`, { method: 'POST', headers, body }).catch(() => null) : null;
      if (reply?.ok) return ((await reply.json()) as { id: string }).id;
      await pause(50);
    }
  }

  /** Everything that was written comes, and all of it is judged. */
  async end(): Promise<Row> {
    await this.#raise();
    const isOpen = async () => (await underWayIn(this.#books)).length > 0;
    await this.#until('the mails leave', async () => !(await isOpen()));
    this.#bouncer.plan(this.#sink.received, 0);
    await this.#until('all notices are brought', async () => {
      await this.#bouncer.bring(Number.POSITIVE_INFINITY, () => false);
      return this.#bouncer.waiting === 0;
    });
    const isMarked = () => this.#imap.mails.every(({ flags }) => flags.has('$Sendonce'));
    await this.#until('the mailbox is read', async () => isMarked());
    await Promise.all(this.#members.map((one) => one.stop()));
    const { brought, copies, violations } = this.#bouncer;
    const unanswered = this.#sink.received.filter((one) => this.#unanswered.has(one.transaction));
    const doubtful = new Set([...this.#interrupted, ...unanswered.map(({ bytes }) => subjectIn(bytes))]);
    const found = await judgeNoticed({
      accepted: this.#accepted,
      taken: this.#sink.received,
      brought,
      doubtful,
      books: this.#books,
    });
    const { counted, settled, ...finding } = found;
    const where = this.#options.engine === 'sqlite' ? '' : 'PostgreSQL: ';
    const fault = `${where}notices late and twice under kills: ${copies} came, ${counted} counted, ${settled} doubts settled`;
    const broken = await this.#books.faults();
    return {
      fault,
      runs: this.#options.kills,
      mails: this.#accepted.length,
      ...finding,
      violations: [...finding.violations, ...violations, ...broken],
    };
  }

  async #until(what: string, isSo: () => Promise<boolean>): Promise<void> {
    const giveUpAt = performance.now() + drainMs;
    while (!(await isSo())) {
      if (performance.now() > giveUpAt) throw new Error(`${what}: not within two minutes`);
      await pause(100);
    }
  }

  async close(): Promise<void> {
    await Promise.all(this.#members.map((one) => one.kill()));
    for (const close of this.#closing.reverse()) await close();
  }
}

/** A place for one process. */
class Member {
  readonly #setting: Setting & { environment: Record<string, string> };
  readonly #command: string[];
  #program: Program | null = null;
  url: string | null = null;

  constructor(setting: Setting & { environment: Record<string, string> }, command = labServer()) {
    this.#setting = setting;
    this.#command = command;
  }

  get mailPort(): number {
    return Number(this.#setting.environment.LISTEN_SMTP?.split(':').at(-1));
  }

  async up(epoch: string): Promise<void> {
    if (this.#program) return;
    this.#setting.environment.LAB_EPOCH = epoch;
    const program = startProgram(this.#setting, this.#command);
    this.#program = program;
    this.url = await program.listening;
    if (!this.url) throw new Error(`the program does not start:\n${program.words()}`);
  }

  kill(): Promise<void> {
    return this.#end('SIGKILL');
  }

  stop(): Promise<void> {
    return this.#end('SIGTERM');
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const program = this.#program;
    this.url = null;
    if (!program) return;
    program.signal(signal);
    await program.ended;
    this.#program = null;
  }
}
