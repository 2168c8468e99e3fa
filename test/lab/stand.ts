/** A life in which one fault is made at a time: mails are sent one by one, and what a fault did is looked at before the next. */

import assert from 'node:assert/strict';
import { copyFileSync, existsSync } from 'node:fs';
import { keyHash } from '../../src/core/token.ts';
import { modes } from '../support/smtp-sink-modes.ts';
import { createTemp } from '../support/temp.ts';
import { sqliteBooks } from './books.ts';
import { Client } from './client.ts';
import { Life } from './life.ts';
import { pause } from './load.ts';
import type { Mood } from './moods.ts';
import { composeOne, type Operation, readAnswer } from './operation.ts';
import { type Program, readColumn } from './program.ts';
import type { Row } from './row.ts';
import { rowOf } from './table.ts';
import { type LifeOptions, surround } from './world.ts';

/** What one try of a request came to; nothing: the connection ended without an answer. */
export type Try = 'accepted' | 'unavailable' | 'nothing';

/** A mail that takes longer, on any machine, is stuck. */
const patienceMs = 60_000;
const lookMs = 10;

/** strace counts the calls of each thread: with one in the pool, the Nth sync of a commit is the Nth of that thread. */
const oneThread = { UV_THREADPOOL_SIZE: '1' };

const accepting: Mood = { name: 'accept', weight: 1, said: 'yes', mode: () => ({ ...modes.accept }) };
const leaving: Mood = {
  name: 'accepts and closes',
  weight: 1,
  said: 'yes',
  mode: () => ({ dot: { accept: true, say: '250 2.0.0 taken\r\n', leave: 'close' } }),
};
const deferring: Mood = { name: 'deferAtDot', weight: 1, said: 'later', mode: () => ({ ...modes.deferAtDot }) };

export class Stand extends Life {
  readonly violations: string[] = [];
  /** How often a client was told to come back. */
  refusals = 0;
  /** What is being done, to stand beside a violation. */
  doing = '';
  readonly #client = new Client();
  #isKnownToRelay = false;

  static async open(options: LifeOptions): Promise<Stand> {
    const environment = { ...oneThread, ...options.environment };
    const surroundings = await surround({ moods: () => [accepting], ...options });
    return new Stand({ ...options, environment }, surroundings, createTemp());
  }

  get mails(): Operation[] {
    return this.load.operations;
  }

  /** Null: it ended instead of listening. */
  override async tryUp(): Promise<Program | null> {
    await this.#autopsy();
    this.#isKnownToRelay = false;
    return super.tryUp();
  }

  /** A server without a session at the relay, so that the next mail opens one. */
  async fresh(): Promise<Program> {
    if (this.program && !this.#isKnownToRelay) return this.program;
    await this.down();
    return this.up();
  }

  /** From now on the relay greets nobody; call what is returned, and it does. Until then it closed each session after its mail. */
  holdGreetings(): () => void {
    this.relay.moods = [accepting];
    this.#isKnownToRelay = true;
    let release = () => {};
    this.relay.greeting = new Promise((resolve) => {
      release = () => {
        this.relay.greeting = null;
        resolve();
      };
    });
    return release;
  }

  /** A new mail, scheduled or not; one in four is too large for one write. */
  compose(scheduledAt: number | null = null): Operation {
    const words = this.random() < 0.25 ? 12_000 : 1 + Math.floor(this.random() * 300);
    const mail = composeOne(this.mails.length, words, scheduledAt);
    this.mails.push(mail);
    return mail;
  }

  async try(mail: Operation): Promise<Try> {
    const { path, text, key } = mail;
    const reply = await this.#client.ask(this.url, { method: 'POST', path, text, key }, patienceMs);
    if (reply === null) return 'nothing';
    if (reply.status === 503) {
      this.refusals += 1;
      if (this.#isOnDisk(mail)) this.#broken(mail, 'was answered 503 and is on disk');
      return 'unavailable';
    }
    // Its first try is still under way.
    if (reply.status === 409 && reply.text.includes('concurrent_idempotent_requests')) return 'nothing';
    const [id] = readAnswer(mail, reply) ?? [];
    if (id === undefined) this.#broken(mail, `was answered ${reply.status} ${reply.text}`);
    else this.hear(mail, id);
    return id === undefined ? 'nothing' : 'accepted';
  }

  /** Somebody was told 200 and this id. */
  hear(mail: Operation, id: string): void {
    if (this.#stateOf(id) === null) this.#broken(mail, 'was answered 200 and is not in the database');
    if (mail.ids && mail.ids[0] !== id) this.#broken(mail, `was answered ${mail.ids}, then ${id}`);
    mail.ids = [id];
    mail.answeredAt ??= performance.now();
  }

  isCommitted(key: string): boolean {
    return findStored(this.databasePath, key) !== null;
  }

  /**
   * The client comes again until it is answered, and what is to leave leaves; a server that has died, or dies meanwhile,
   * is started again. The next fault finds it without a session. True: it did die.
   */
  async recover(mail: Operation): Promise<boolean> {
    this.relay.moods = [leaving];
    let hasDied = false;
    await until('the request is answered and its mail settled', async () => {
      if (!this.program) {
        hasDied = true;
        await this.up();
      }
      return (await this.try(mail)) === 'accepted' && this.open() === 0;
    });
    this.#judge(mail);
    return hasDied;
  }

  /** As a client does: again and again, whatever comes. */
  async untilAnswered(mail: Operation): Promise<void> {
    await until('the request is answered', async () => (await this.try(mail)) === 'accepted');
  }

  /** Resolves when the relay has put it off. */
  async defer(mail: Operation): Promise<void> {
    const { dots } = this.relay;
    this.relay.moods = [deferring];
    await this.untilAnswered(mail);
    await until('the relay has deferred it', () => this.relay.dots > dots);
  }

  /** Deliveries that are to be tried, or are being tried. */
  open(): number {
    const open = `select email_id from deliveries where state in ('queued', 'sending', 'handoff')`;
    return readColumn(this.databasePath, open).length;
  }

  /** Before the server starts again: can its disk be read at all, and what does it say? */
  async #autopsy(): Promise<void> {
    if (!(await this.books.hasSchema())) return;
    await this.checkIntegrity();
    const count = (table: string) => readColumn(this.databasePath, `select 1 from ${table}`).length;
    const [emails, keys] = [count('emails'), count('idempotency_keys')];
    if (emails !== keys) this.violations.push(`${this.doing}: ${keys} keys name ${emails} emails`);
    await this.noteInterrupted();
  }

  /** Once all is settled: a hand-off that a death interrupted is in doubt, and nothing else is. */
  #judge(mail: Operation): void {
    const [id = ''] = mail.ids ?? [];
    const state = this.#stateOf(id);
    const copies = this.copies(mail);
    const wanted = this.interrupted.has(id) ? 'in_doubt' : 'sent';
    if (state !== wanted) this.#broken(mail, `is ${state}, and has to be ${wanted}`);
    if (copies > 1) this.#broken(mail, `left ${copies} times`);
  }

  copies({ asked }: Operation): number {
    const [to = ''] = asked[0]?.to ?? [];
    return this.relay.transactions.filter((one) => one.taken && one.to.includes(to)).length;
  }

  #stateOf(id: string): string | null {
    const [state = null] = readColumn(this.databasePath, 'select state from deliveries where email_id = ?', [id]);
    return state;
  }

  /** Would a start find it now? A copy without the shared memory is read as after a death. */
  #isOnDisk(mail: Operation): boolean {
    const { databasePath } = this;
    const copy = this.path('copy.db');
    for (const end of ['', '-wal']) if (existsSync(databasePath + end)) copyFileSync(databasePath + end, copy + end);
    return findStored(copy, mail.key) !== null;
  }

  async checkIntegrity(): Promise<void> {
    const faults = await sqliteBooks(this.databasePath).faults();
    for (const fault of faults) this.violations.push(`${this.doing}: the database is corrupt: ${fault}`);
  }

  #broken(mail: Operation, what: string): void {
    this.violations.push(`${this.doing}: ${mail.key} ${what}`);
  }

  /** The server must be up. Ends it, and counts. */
  async conclude(fault: string, runs: number): Promise<Row> {
    const row = rowOf(fault, runs, await this.examine());
    await this.down();
    await this.checkIntegrity();
    return { ...row, violations: [...this.violations, ...row.violations] };
  }
}

/** Asks again and again: what another process did, and how far, is seen from outside only. */
export async function until(what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
  const giveUpAt = performance.now() + patienceMs;
  while (!(await condition())) {
    assert(performance.now() < giveUpAt, `waited in vain until ${what}`);
    await pause(lookMs);
  }
}

/** The id of the email that was accepted under the key. */
function findStored(databasePath: string, key: string): string | null {
  const hash = Buffer.from(keyHash('resend POST /emails', key)).toString('hex');
  const ids = `select json_extract(email_ids, '$[0]') from idempotency_keys where hex(key_hash) = upper(?)`;
  return readColumn(databasePath, ids, [hash])[0] ?? null;
}
