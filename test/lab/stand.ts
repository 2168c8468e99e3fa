/** One server, one relay and mails sent one at a time: where a single fault is made, and what it did is looked at before the next. */

import assert from 'node:assert/strict';
import { copyFileSync, existsSync } from 'node:fs';
import Sqlite from 'better-sqlite3';
import { keyHash } from '../../src/core/token.ts';
import { createRandom, type Random } from '../support/random.ts';
import { testKey } from '../support/server.ts';
import { type Sink, startSink } from '../support/smtp-sink.ts';
import { type Mode, modes } from '../support/smtp-sink-modes.ts';
import { createTemp } from '../support/temp.ts';
import { pause } from './load.ts';
import { type Program, readColumn, runCommand, type Setting, startProgram } from './program.ts';
import type { Row } from './row.ts';

export type StandOptions = {
  seed: number;
  /** Another program than the real one. */
  command?: string[] | undefined;
  environment?: Record<string, string>;
  /** Where the database lies, instead of in a temporary folder. */
  folder?: string;
};

export type Mail = {
  key: string;
  text: string;
  /** Ids it was answered, in order; all of them have to be the same. */
  ids: string[];
  /** Its state when the server died, null when it was not stored; `handoff` is remembered for good. */
  atDeath: string | null;
};

/** What one try of a request came to; nothing: the connection ended without an answer. */
export type Try = 'accepted' | 'unavailable' | 'nothing';

const acceptAndClose: Mode = { dot: { accept: true, say: '250 2.0.0 taken\r\n', leave: 'close' } };

/** A mail that takes longer, on any machine, is stuck. */
const patienceMs = 60_000;
const lookMs = 10;

export class Stand {
  readonly random: Random;
  readonly violations: string[] = [];
  readonly mails: Mail[] = [];
  /** How often a client was told to come back. */
  refusals = 0;
  /** What is being done, to stand beside a violation. */
  doing = '';
  readonly sink: Sink;
  readonly databasePath: string;
  readonly setting: Setting;
  readonly #temp = createTemp();
  /** Undefined: the real program. */
  command: string[] | undefined;
  readonly #greeting: { when: Promise<void> | null };
  #program: Program | null = null;
  #isKnownToRelay = false;
  #url: string | null = null;

  static async open(options: StandOptions): Promise<Stand> {
    const greeting: { when: Promise<void> | null } = { when: null };
    const greet = () => (greeting.when ? { when: greeting.when } : undefined);
    return new Stand(options, await startSink({ keepBytes: false, greet }), greeting);
  }

  private constructor(options: StandOptions, sink: Sink, greeting: { when: Promise<void> | null }) {
    this.random = createRandom(options.seed);
    this.sink = sink;
    this.#greeting = greeting;
    this.command = options.command;
    this.databasePath = options.folder ? `${options.folder}/lab.db` : this.path('lab.db');
    this.setting = {
      databaseUrl: `sqlite:${this.databasePath}`,
      relayUrl: `smtp://127.0.0.1:${sink.port}`,
      environment: options.environment ?? {},
    };
  }

  path(name: string): string {
    return this.#temp.path(name);
  }

  get url(): string {
    assert(this.#url, 'the server is up');
    return this.#url;
  }

  /** Resolves when it listens. @throws AssertionError with what it said when it does not. */
  async up(): Promise<Program> {
    const program = await this.tryUp();
    assert(program, 'the program starts');
    return program;
  }

  /** Null: it ended instead of listening. */
  async tryUp(): Promise<Program | null> {
    if (existsSync(this.databasePath)) this.#autopsy();
    const program = startProgram(this.setting, this.command);
    this.#program = program;
    void program.ended.then(() => {
      if (this.#program === program) this.#program = null;
    });
    this.#isKnownToRelay = false;
    this.#url = await program.listening;
    if (this.#url) return program;
    await program.ended;
    return null;
  }

  /** A server without a session at the relay, so that the next mail opens one. */
  async fresh(): Promise<Program> {
    if (this.#program && !this.#isKnownToRelay) return this.#program;
    await this.down();
    return this.up();
  }

  /** Kills what runs, if anything does. */
  async down(): Promise<void> {
    const program = this.#program;
    this.#program = null;
    this.#url = null;
    program?.signal('SIGKILL');
    await program?.ended;
  }

  /** From now on the relay greets nobody; call what is returned, and it does. Until then it closed each session after its mail. */
  holdGreetings(): () => void {
    this.sink.behave = () => modes.accept;
    this.#isKnownToRelay = true;
    let release = () => {};
    this.#greeting.when = new Promise((resolve) => {
      release = () => {
        this.#greeting.when = null;
        resolve();
      };
    });
    return release;
  }

  /** A new mail; one in four is too large for one write. `more` are members of the request. */
  compose(more: Record<string, unknown> = {}): Mail {
    const number = this.mails.length;
    const html = `<p>${'it works '.repeat(this.random() < 0.25 ? 12_000 : 1 + Math.floor(this.random() * 300))}</p>`;
    const message = {
      from: 'Acme <onboarding@resend.dev>',
      to: [`user${number}@example.com`],
      subject: 'lab',
      html,
      ...more,
    };
    const text = JSON.stringify(message);
    const mail = { key: `lab/${number}`, text, ids: [], atDeath: null };
    this.mails.push(mail);
    return mail;
  }

  async try(mail: Mail): Promise<Try> {
    const answer = await this.#exchange(mail);
    if (answer === null) return 'nothing';
    if (answer.status === 503) {
      this.refusals += 1;
      if (this.#isOnDisk(mail)) this.#broken(mail, 'was answered 503 and is on disk');
      return 'unavailable';
    }
    if (answer.status !== 200) {
      this.#broken(mail, `was answered ${answer.status} ${answer.text}`);
      return 'nothing';
    }
    this.hear(mail, (JSON.parse(answer.text) as { id: string }).id);
    return 'accepted';
  }

  /** Somebody was told 200 and this id. */
  hear(mail: Mail, id: string): void {
    if (this.#stateOf(id) === null) this.#broken(mail, 'was answered 200 and is not in the database');
    if (mail.ids.some((one) => one !== id)) this.#broken(mail, `was answered ${mail.ids.at(-1)}, then ${id}`);
    mail.ids.push(id);
  }

  isCommitted(key: string): boolean {
    return findStored(this.databasePath, key) !== null;
  }

  /**
   * The client comes again until it is answered, and what is to leave leaves; a server that has died, or dies meanwhile,
   * is started again. The next fault finds it without a session. True: it did die.
   */
  async recover(mail: Mail): Promise<boolean> {
    this.sink.behave = () => acceptAndClose;
    let hasDied = false;
    await until('the request is answered and its mail settled', async () => {
      if (!this.#program) {
        hasDied = true;
        await this.up();
      }
      return (await this.try(mail)) === 'accepted' && this.open() === 0;
    });
    this.#judge(mail);
    return hasDied;
  }

  /** As a client does: again and again, whatever comes. */
  async untilAnswered(mail: Mail): Promise<void> {
    await until('the request is answered', async () => (await this.try(mail)) === 'accepted');
  }

  async #exchange(mail: Mail): Promise<{ status: number; text: string } | null> {
    const headers = {
      authorization: `Bearer ${testKey}`,
      'content-type': 'application/json',
      'idempotency-key': mail.key,
    };
    try {
      const response = await fetch(`${this.url}/emails`, { method: 'POST', headers, body: mail.text });
      return { status: response.status, text: await response.text() };
    } catch {
      return null;
    }
  }

  /** Resolves when nothing is left to be done for what was accepted. */
  async settled(): Promise<void> {
    await until('every delivery is settled', () => this.open() === 0);
  }

  /** Deliveries that are to be tried, or are being tried. */
  open(): number {
    const open = `select email_id from deliveries where state in ('queued', 'sending', 'handoff')`;
    return readColumn(this.databasePath, open).length;
  }

  /** Before the server starts again: what does its disk say, and can it be read at all? */
  #autopsy(): void {
    const { databasePath } = this;
    this.#integrity(databasePath);
    const [emails, keys] = ['emails', 'idempotency_keys'].map((table) =>
      readColumn(databasePath, `select 1 from ${table}`),
    );
    if (emails?.length !== keys?.length) {
      this.violations.push(`${this.doing}: ${keys?.length} keys name ${emails?.length} emails`);
    }
    for (const mail of this.mails) {
      if (mail.atDeath !== 'handoff') mail.atDeath = this.#stateOf(findStored(databasePath, mail.key) ?? '');
    }
  }

  /** Once all is settled: is the mail where its history says it has to be? */
  #judge(mail: Mail): void {
    const id = mail.ids.at(-1) ?? '';
    const state = this.#stateOf(id);
    const copies = this.sink.copies(`<${id}@resend.dev>`);
    // A hand-off that a death interrupted is in doubt, and nothing else is.
    const wanted = mail.atDeath === 'handoff' ? 'in_doubt' : 'sent';
    if (state !== wanted) this.#broken(mail, `is ${state}; it was ${mail.atDeath} when the server died`);
    if (state === 'sent' && copies !== 1) this.#broken(mail, `is sent, and ${copies} copies are at the relay`);
    if (copies > 1) this.#broken(mail, `left ${copies} times`);
  }

  #stateOf(id: string): string | null {
    const [state = null] = readColumn(this.databasePath, 'select state from deliveries where email_id = ?', [id]);
    return state;
  }

  /** Would a start find it now? A copy without the shared memory is read as after a death. */
  #isOnDisk(mail: Mail): boolean {
    const { databasePath } = this;
    const copy = this.path('copy.db');
    for (const end of ['', '-wal']) if (existsSync(databasePath + end)) copyFileSync(databasePath + end, copy + end);
    return findStored(copy, mail.key) !== null;
  }

  #integrity(path: string): void {
    const connection = new Sqlite(path, { readonly: true });
    const found = connection.pragma('integrity_check', { simple: true });
    connection.close();
    if (found !== 'ok') this.violations.push(`${this.doing}: the database is corrupt: ${found}`);
  }

  #broken(mail: Mail, what: string): void {
    this.violations.push(`${this.doing}: ${mail.key} ${what}`);
  }

  /** The server must be up. Ends it, and counts. */
  async close(fault: string, runs: number): Promise<Row> {
    const listed = await runCommand(this.setting, ['queue']);
    await this.down();
    const { databasePath } = this;
    this.#integrity(databasePath);
    const held = new Set(readColumn(databasePath, `select email_id from deliveries where state = 'in_doubt'`));
    if (!listed.startsWith(`${held.size} in_doubt `))
      this.violations.push(`${held.size} are in doubt, and the list says ${listed.split('\n')[0]}`);
    const stored = readColumn(databasePath, 'select id from emails').length;
    if (stored !== this.mails.length) this.violations.push(`${stored} emails are stored of ${this.mails.length} mails`);
    const row = this.#row(fault, runs, held);
    await this.destroy();
    return row;
  }

  #row(fault: string, runs: number, held: Set<string>): Row {
    const row: Row = {
      fault,
      runs,
      mails: this.mails.length,
      duplicates: 0,
      lost: 0,
      held: held.size,
      explained: 0,
      violations: this.violations,
    };
    for (const mail of this.mails) {
      const copies = [...new Set(mail.ids)].reduce((sum, id) => sum + this.sink.copies(`<${id}@resend.dev>`), 0);
      const isHeld = mail.ids.some((id) => held.has(id));
      row.duplicates += Math.max(0, copies - 1);
      if (mail.ids.length > 0 && copies === 0 && !isHeld) row.lost += 1;
      if (isHeld && mail.atDeath === 'handoff') row.explained += 1;
    }
    return row;
  }

  async destroy(): Promise<void> {
    await this.down();
    await this.sink.close();
    this.#temp.remove();
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
