/** Takes what comes back to a mailbox: each mail once, in order, marked when it was taken; waits in IDLE, and comes back where it was cut off. */

import { setTimeout as pause } from 'node:timers/promises';
import { type MailboxServer, nameOfMailbox } from '../../config/imap-url.ts';
import { AppError } from '../../core/error.ts';
import { reportBytesMax } from '../../evidence/read-report.ts';
import { log } from '../../log.ts';
import type { Renderer } from '../../render/renderer.ts';
import { readReportIn } from '../../render/report-reading.ts';
import { holdEveryMs, type MailboxTurns } from '../../use-cases/read-mailbox.ts';
import type { TakeReport } from '../../use-cases/take-report.ts';
import { MailboxError, type MailboxSession, openMailbox, openMailboxTokens } from './session.ts';

export type MailboxIntakeOptions = {
  server: MailboxServer;
  turns: MailboxTurns;
  takeReport: TakeReport;
  renderer: Pick<Renderer, 'openLater'>;
};

/** A server that does not tell of what comes is asked this often; one that does, too, in case it forgets. */
const askEveryMs = 30_000;
const askAnywayMs = 240_000;
const connectMs = 30_000;

/** Between two tries: doubled each time. Who tries a wrong password too often is shut out by most providers. */
const firstPauseMs = 250;
const pauseMsMax = 60_000;
const wrongLoginPauseMs = 300_000;

/** A mail that cannot be taken for a reason nobody knows must not keep all those behind it. */
const triesMax = 5;

export class MailboxIntake {
  readonly #options: MailboxIntakeOptions;
  readonly #name: string;
  readonly #tokens: ReturnType<typeof openMailboxTokens>;
  readonly #stopping = new AbortController();
  #running: Promise<void> = Promise.resolve();
  #failures = 0;
  #failing = { uid: 0, times: 0 };

  constructor(options: MailboxIntakeOptions) {
    this.#options = options;
    this.#name = nameOfMailbox(options.server);
    this.#tokens = openMailboxTokens(options.server);
  }

  start(): void {
    this.#running = this.#run();
  }

  /** The mail under way is taken to its end. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { turns } = this.#options;
    while (!this.#isStopping) {
      try {
        if (await turns.hold()) await this.#serve();
        else await this.#pause(holdEveryMs);
      } catch (error) {
        await this.#failed(error);
      }
    }
    await turns.leave().catch(() => {});
  }

  get #isStopping(): boolean {
    return this.#stopping.signal.aborted;
  }

  async #failed(error: unknown): Promise<void> {
    if (this.#isStopping) return;
    const isLogin = error instanceof MailboxError && error.kind === 'login';
    const ms = isLogin ? wrongLoginPauseMs : Math.min(pauseMsMax, firstPauseMs * 2 ** this.#failures);
    this.#failures = Math.min(this.#failures + 1, 16);
    const why = error instanceof MailboxError || error instanceof AppError ? error.message : String(error);
    log.mailboxFailed({ mailbox: this.#name, why, againInMs: ms });
    // What the database does not take now is no trouble of the mailbox's.
    if (error instanceof MailboxError) await this.#options.turns.failed().catch(() => {});
    await this.#pause(ms);
  }

  async #pause(ms: number): Promise<void> {
    await pause(ms, undefined, { signal: this.#stopping.signal }).catch(() => {});
  }

  /** One session, as long as it lasts and it is this process's turn. */
  async #serve(): Promise<void> {
    const session = await openMailbox(this.#options.server, { connectMs }, this.#tokens);
    try {
      log.mailboxOpened({ mailbox: this.#name, mails: session.mails });
      const { turns } = this.#options;
      let last = await turns.lastUid(session.uidValidity);
      for (let rounds = 0; !this.#isStopping; rounds += 1) {
        last = await this.#takeAfter(session, last);
        this.#failures = 0;
        if (rounds === 0) await turns.worked();
        if (!(await this.#waitForNews(session))) return;
      }
    } finally {
      await session.close();
    }
  }

  /** False: it is another process's turn, or this one stops. */
  async #waitForNews(session: MailboxSession): Promise<boolean> {
    const askAt = performance.now() + (session.tells ? askAnywayMs : askEveryMs);
    while (!this.#isStopping && performance.now() < askAt) {
      const came = await session.wait(holdEveryMs, this.#stopping.signal);
      if (!(await this.#options.turns.hold())) return false;
      if (came === 'news') return true;
    }
    return !this.#isStopping;
  }

  /** @returns the last that was taken. */
  async #takeAfter(session: MailboxSession, after: number): Promise<number> {
    const { turns } = this.#options;
    let last = after;
    for (const uid of await session.listAfter(after)) {
      if (this.#isStopping) break;
      await this.#take(session, uid);
      if (!(await turns.advance(session.uidValidity, uid))) break;
      last = uid;
    }
    return last;
  }

  /** Marked before it is written down how far this came: what is done twice after a crash changes nothing. */
  async #take(session: MailboxSession, uid: number): Promise<void> {
    const { takeReport, renderer } = this.#options;
    const bytes = await session.read(uid, reportBytesMax);
    if (!bytes) return;
    try {
      await takeReport(await readReportIn(renderer, bytes), { by: 'mailbox', recipient: null, bytes });
    } catch (error) {
      if (error instanceof AppError || !this.#isHopeless(uid)) throw error;
      log.mailLeft({ mailbox: this.#name, uid }, error);
      return;
    }
    await session.mark(uid);
  }

  #isHopeless(uid: number): boolean {
    const times = this.#failing.uid === uid ? this.#failing.times + 1 : 1;
    this.#failing = { uid, times };
    return times >= triesMax;
  }
}
