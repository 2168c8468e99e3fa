/** The relay that is a smarthost: a bounded number of SMTP sessions, kept for a while and used again. */

import type SMTPConnection from 'nodemailer/lib/smtp-connection';
import type { Outcome } from '../core/outcome.ts';
import { noReply } from '../core/reply.ts';
import type { Gate, Relay, Shipment } from './relay.ts';
import { openSession, type SmtpOptions, stallTimeoutOf } from './smtp-session.ts';
import { type Ended, hasUnreadReply, type Next, transact } from './smtp-transaction.ts';

export type SmtpRelayOptions = SmtpOptions & {
  /**
   * Sessions at once that send or may send, at most; as many again may stay open beside them, for nothing but an overdue verdict.
   * Common relays allow 10 to 50 a client (Postfix: 50).
   */
  concurrency?: number;
  /** How long the dot's verdict is waited for. RFC 5321 4.5.3.2.6 asks for ten minutes. */
  verdictTimeoutMs?: number;
  idleMs?: number;
  messagesPerSession?: number;
};

const concurrencyDefault = 10;
const verdictTimeoutMsDefault = 10 * 60_000;
/** Under the ten seconds after which a Postfix under stress, or SES, closes a silent session: we leave first. */
const idleMsDefault = 8_000;
/** Enough that opening costs nothing, few enough that a relay's load balancer gets to move us. Many relays cap at 100. */
const messagesPerSessionDefault = 100;
/** Ten minutes are the client's patience, not the relay's: content filters behind it may take longer. */
const lateVerdictMs = 60 * 60_000;
/** A relay that does not answer QUIT is left without an answer. */
const quitTimeoutMs = 1_000;

export function createSmtpRelay(options: SmtpRelayOptions): Relay {
  return new SmtpRelay(options);
}

type Session = { connection: SMTPConnection; messages: number; idleTimer: NodeJS.Timeout | null };

class SmtpRelay implements Relay {
  readonly name: string;
  readonly concurrency: number;
  readonly #options: SmtpRelayOptions;
  /** Last in, first out, so that what a calm day does not need falls idle. */
  readonly #idle: Session[] = [];
  readonly #waiting: Array<() => void> = [];
  /** Their verdict is overdue. In the order they became so. */
  readonly #lingering = new Set<Session>();
  #busy = 0;
  #closed = false;

  constructor(options: SmtpRelayOptions) {
    this.#options = options;
    this.name = `${options.secure ? 'smtps' : 'smtp'}://${options.host}:${options.port}`;
    this.concurrency = options.concurrency ?? concurrencyDefault;
  }

  async ship(shipment: Shipment, gate: Gate): Promise<Outcome> {
    await this.#enter();
    const kept = this.#takeIdle();
    if (kept !== null) {
      const ended = await this.#transact(kept, shipment, gate);
      if (!ended.isStale) return this.#finish(kept, ended);
    }
    // Not another idle one: what ended this one has likely ended those too.
    const fresh = await this.#open();
    if (typeof fresh === 'string') {
      this.#leave();
      return { phase: 'unreached', reply: noReply(fresh) };
    }
    return this.#finish(fresh, await this.#transact(fresh, shipment, gate));
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const { connection } of this.#lingering) connection.close();
    await Promise.all(this.#idle.splice(0).map((session) => this.#quit(session)));
  }

  #enter(): Promise<void> {
    if (this.#busy < this.concurrency) {
      this.#busy += 1;
      return Promise.resolve();
    }
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  #leave(): void {
    const next = this.#waiting.shift();
    if (next) next();
    else this.#busy -= 1;
  }

  #takeIdle(): Session | null {
    for (let session = this.#idle.pop(); session; session = this.#idle.pop()) {
      if (session.idleTimer) clearTimeout(session.idleTimer);
      if (!session.connection.destroyed && !hasUnreadReply(session.connection)) return session;
      session.connection.close();
    }
    return null;
  }

  async #open(): Promise<Session | string> {
    if (this.#closed) return 'the relay is closed';
    try {
      return { connection: await openSession(this.#options), messages: 0, idleTimer: null };
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
  }

  #transact(session: Session, shipment: Shipment, gate: Gate): Promise<Ended> {
    session.messages += 1;
    const verdictMs = this.#options.verdictTimeoutMs ?? verdictTimeoutMsDefault;
    return transact(session.connection, shipment, gate, { verdictMs, stallMs: stallTimeoutOf(this.#options) });
  }

  /** Hands the outcome back at once; the place is free again when the session is fit for the next mail. */
  #finish(session: Session, { outcome, next }: Ended): Outcome {
    this.#restore(session, next, () => this.#leave());
    if (outcome.phase === 'in_doubt') void outcome.late?.then(() => session.connection.close());
    return outcome;
  }

  #restore(session: Session, next: Next, done: () => void): void {
    if (next === 'reset') {
      resetSession(session.connection, (isClean) => {
        if (isClean) this.#park(session);
        else session.connection.close();
        done();
      });
      return;
    }
    if (next === 'reuse') this.#park(session);
    if (next === 'linger') this.#linger(session);
    done();
  }

  /**
   * Takes no place of those that work, or slow verdicts would stop other mail. Ends with its verdict, with our patience, or when
   * as many as may work have become overdue since.
   */
  #linger(session: Session): void {
    const { connection } = session;
    const timer = setTimeout(() => connection.close(), lateVerdictMs);
    connection.once('end', () => {
      clearTimeout(timer);
      this.#lingering.delete(session);
    });
    this.#lingering.add(session);
    const [oldest] = this.#lingering;
    if (this.#lingering.size > this.concurrency) oldest?.connection.close();
  }

  #park(session: Session): void {
    if (this.#closed || session.messages >= (this.#options.messagesPerSession ?? messagesPerSessionDefault)) {
      void this.#quit(session);
      return;
    }
    session.idleTimer = setTimeout(() => {
      this.#idle.splice(this.#idle.indexOf(session), 1);
      void this.#quit(session);
    }, this.#options.idleMs ?? idleMsDefault);
    this.#idle.push(session);
  }

  #quit({ connection, idleTimer }: Session): Promise<void> {
    if (idleTimer) clearTimeout(idleTimer);
    if (connection.destroyed) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(() => connection.close(), quitTimeoutMs);
      connection.once('end', () => {
        clearTimeout(timer);
        resolve();
      });
      connection.quit();
    });
  }
}

/** Calls back once: nodemailer forgets the callback of a session that dies under RSET. */
function resetSession(connection: SMTPConnection, done: (isClean: boolean) => void): void {
  let isDone = false;
  const finish = (isClean: boolean) => {
    if (isDone) return;
    isDone = true;
    connection.removeListener('end', onEnd);
    done(isClean);
  };
  const onEnd = () => finish(false);
  connection.once('end', onEnd);
  connection.reset((error) => finish(error === null));
}
