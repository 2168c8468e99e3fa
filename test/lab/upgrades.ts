/** What older versions left, opened by this one, which is killed on each statement of its migrations and of what it does after them. */

import { setTimeout as pause } from 'node:timers/promises';
import type { Database } from '../../src/store/database.ts';
import { startSink } from '../support/smtp-sink.ts';
import { createTemp, type Temp } from '../support/temp.ts';
import { sha256 } from '../upgrade/dump.ts';
import { type Account, copyOf, type Left, publicUrl, type Request, versionsLeft } from '../upgrade/left.ts';
import { type Books, deliveriesIn, postgresBooks, sqliteBooks } from './books.ts';
import { LabClock } from './lab-clock.ts';
import { fleetSpeed, labServer } from './lab-server.ts';
import { type Program, type Setting, startProgram } from './program.ts';
import type { Row } from './row.ts';

export type UpgradeOptions = {
  engine: Database['engine'];
  /** From one statement to the next at which it is killed. */
  step: number;
  onProgress?: (text: string) => void;
};

/** Mail that waited for its next attempt or that a worker had claimed: it leaves once, as what it was. */
const waiting = ['away', 'busy', 'later', 'parts', 'twice', 'claimed'];
/** Mail that may have left already: it stays where it is. */
const held = ['held', 'held, not taken', 'handed off'];

/** Until the second hour, when the last attempt of what waits is due, and before the tenth, when more is scheduled. */
const laterMs = 3 * 3_600_000;
const patienceMs = 60_000;
/** Of those that were made minutes before. */
const brevoKeyMs = 15 * 60_000;
/** Far beyond the statements of a start. */
const statementsMax = 2_000;

export async function upgradeUnderKills(options: UpgradeOptions): Promise<Row[]> {
  const rows: Row[] = [];
  for (const left of versionsLeft(options.engine)) rows.push(await upgradeOne(left, options));
  return rows;
}

async function upgradeOne(left: Left, options: UpgradeOptions): Promise<Row> {
  const temp = createTemp();
  const sink = await startSink();
  const upgrade = new Upgrade(left, temp, await copyOf(left, options.engine, temp), sink.port);
  try {
    const kills = await upgrade.killAtEach(options);
    await upgrade.lookAtAnswers();
    await upgrade.letLeave(() => waiting.every((name) => sink.copies(messageIdOf(left, name)) > 0));
    await upgrade.lookAtAnswers();
    const copies = (name: string) => sink.copies(messageIdOf(left, name));
    const inDoubt = new Set(await deliveriesIn(upgrade.books, 'in_doubt'));
    const lost = waiting.filter((name) => copies(name) === 0 && !inDoubt.has(idOf(left, name)));
    const sentAgain = held.filter((name) => copies(name) > 0);
    const others = sink.received.filter(({ messageId, bytes }) => !isAsItWas(left, messageId, sha256(bytes)));
    const violations = [
      ...upgrade.violations,
      ...sentAgain.map((name) => `"${name}" may have left before, and was sent again`),
      ...held.filter((name) => !inDoubt.has(idOf(left, name))).map((name) => `"${name}" is held no more`),
      ...others.map(({ messageId }) => `${messageId} left as another mail than it was`),
    ];
    const fault = `${left.version} upgraded on ${options.engine}, kill -9 at the Nth statement`;
    const { size } = inDoubt;
    const duplicates = sink.duplicates().length;
    return {
      fault,
      runs: kills,
      mails: waiting.length,
      duplicates,
      lost: lost.length,
      held: size,
      explained: size,
      violations,
    };
  } finally {
    await upgrade.end();
    await sink.close();
    temp.remove();
  }
}

function idOf({ emails, unfinished }: Left, name: string): string {
  return emails[name] ?? unfinished[name] ?? '';
}

/** Our Message-ID is the email's id at the sender's domain. */
function messageIdOf(left: Left, name: string): string {
  return `<${idOf(left, name)}@acme.test>`;
}

function isAsItWas(left: Left, messageId: string, hash: string): boolean {
  const ids = Object.entries({ ...left.emails, ...left.unfinished });
  const [name] = ids.find(([, id]) => messageId.startsWith(`<${id}@`)) ?? [];
  return name !== undefined && (left.mails[name] === undefined || left.mails[name] === hash);
}

class Upgrade {
  readonly violations: string[] = [];
  readonly books: Books;
  readonly #left: Left;
  readonly #clock = new LabClock(fleetSpeed);
  readonly #setting: Setting & { environment: Record<string, string> };
  #program: Program | null = null;

  constructor(left: Left, temp: Temp, url: string, port: number) {
    this.#left = left;
    this.books = url.startsWith('sqlite:') ? sqliteBooks(url.slice('sqlite:'.length)) : postgresBooks(() => url, url);
    // The moment it was left.
    this.#clock.skip(left.at - this.#clock.now());
    const environment = { STATE_DIR: temp.path('state'), PUBLIC_URL: publicUrl, LAB_SPEED: String(fleetSpeed) };
    this.#setting = { databaseUrl: url, relayUrl: `smtp://127.0.0.1:${port}`, environment };
  }

  /** Tells how often it was killed. */
  async killAtEach({ step, onProgress }: UpgradeOptions): Promise<number> {
    const before = await this.#migrations();
    let kills = 0;
    for (let at = 1; at < statementsMax; at += step) {
      const { signal } = await this.#startUntil(at);
      kills += 1;
      if (signal === null) {
        // It listens, and would die a moment later.
        await this.end();
        await this.#startUntil(null);
        return kills;
      }
      await this.#lookAtSchema(before);
      onProgress?.(`upgrade: killed at statement ${at}`);
    }
    this.violations.push(`it is not up after ${statementsMax} statements`);
    return kills;
  }

  /** Null: it listens, and goes on. */
  async #startUntil(dieAt: number | null): Promise<{ signal: string | null }> {
    const environment = { ...this.#setting.environment, LAB_EPOCH: String(this.#clock.epoch) };
    const more = dieAt === null ? environment : { ...environment, LAB_DIE_AT: String(dieAt) };
    const program = startProgram({ ...this.#setting, environment: more }, labServer('dies-at'));
    const url = await program.listening;
    if (url === null) return { signal: (await program.ended).signal ?? this.#ended(program) };
    this.#program = program;
    this.#url = url;
    return { signal: null };
  }

  #url = '';

  /** By itself: neither up nor killed. */
  #ended(program: Program): string {
    this.violations.push(`a start ended by itself:\n${program.words()}`);
    return 'none';
  }

  async #migrations(): Promise<number> {
    return (await this.books.rows<{ version: number }>('select version from migrations')).length;
  }

  /** All migrations or none. */
  async #lookAtSchema(before: number): Promise<void> {
    const now = await this.#migrations();
    this.#most = Math.max(this.#most, now);
    if (now !== before && now !== this.#most) this.violations.push(`${now - before} migrations are there, and not all`);
  }

  #most = 0;

  /** Later by hours, as far as it takes for what waits. */
  async letLeave(isDone: () => boolean): Promise<void> {
    await this.end();
    this.#clock.skip(laterMs);
    if ((await this.#startUntil(null)).signal !== null) return;
    const giveUpAt = performance.now() + patienceMs;
    while (!isDone() && performance.now() < giveUpAt) await pause(50);
  }

  /** Keys that live answer what they did: Resend's for a day, Brevo's for half an hour. */
  async lookAtAnswers(): Promise<void> {
    const isSoon = this.#clock.now() < this.#left.at + brevoKeyMs;
    for (const one of this.#left.replays.filter(({ path }) => isSoon || !path.startsWith('/v3/'))) {
      const { status, text } = await this.#ask(one.account, one);
      if (status !== one.status || text !== one.text)
        this.violations.push(`a replay of ${one.path} is ${status} ${text}`);
    }
    for (const one of this.#left.conflicts) {
      const { status } = await this.#ask(one.account, one);
      if (status !== one.status) this.violations.push(`a conflict at ${one.path} is ${status}`);
    }
  }

  async #ask(account: Account, { method, path, body, headers }: Request): Promise<{ status: number; text: string }> {
    const own = { 'api-key': this.#left.keys[account], 'content-type': 'application/json', ...headers };
    const response = await fetch(`${this.#url}${path}`, { method, headers: own, body: JSON.stringify(body) });
    return { status: response.status, text: await response.text() };
  }

  async end(): Promise<void> {
    this.#program?.signal('SIGKILL');
    await this.#program?.ended;
    this.#program = null;
  }
}
