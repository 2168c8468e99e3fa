/** The relay that is a smarthost: a bounded number of SMTP sessions, kept for a while and used again. */

import type { Outcome } from '../core/outcome.ts';
import { noReply, type Reply } from '../core/reply.ts';
import type { Gate, Relay, Shipment } from './relay.ts';
import { NoSession, openSession, quit, type SmtpOptions, type SmtpSession, stallTimeoutOf } from './smtp-session.ts';
import { type Ended, type Next, transact } from './smtp-transaction.ts';
import type { Wire } from './smtp-wire.ts';

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

export function createSmtpRelay(options: SmtpRelayOptions): Relay {
  return new SmtpRelay(options);
}

type Session = SmtpSession & { messages: number; idleTimer: NodeJS.Timeout | null };

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
    if ('text' in fresh) {
      this.#leave();
      return { phase: 'unreached', reply: fresh, isAway: true };
    }
    return this.#finish(fresh, await this.#transact(fresh, shipment, gate));
  }

  async probe(): Promise<Reply | null> {
    const session = await this.#open();
    if ('text' in session) return session;
    await quit(session.wire);
    return null;
  }

  async close(): Promise<void> {
    for (const { wire } of this.#lingering) wire.destroy();
    await this.retire();
  }

  async retire(): Promise<void> {
    this.#closed = true;
    const idle = this.#idle.splice(0);
    for (const { idleTimer } of idle) if (idleTimer) clearTimeout(idleTimer);
    await Promise.all(idle.map(({ wire }) => quit(wire)));
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
      if (session.wire.isAlive && !session.wire.isUnread) return session;
      session.wire.destroy();
    }
    return null;
  }

  async #open(): Promise<Session | Reply> {
    if (this.#closed) return noReply('the relay is closed');
    try {
      return { ...(await openSession(this.#options)), messages: 0, idleTimer: null };
    } catch (error) {
      if (error instanceof NoSession) return noReply(error.message, error.trouble);
      throw error;
    }
  }

  #transact(session: Session, shipment: Shipment, gate: Gate): Promise<Ended> {
    session.messages += 1;
    const verdictMs = this.#options.verdictTimeoutMs ?? verdictTimeoutMsDefault;
    return transact(session, shipment, gate, { verdictMs, stallMs: stallTimeoutOf(this.#options) });
  }

  /** Hands the outcome back at once; the place is free again when the session is fit for the next mail, or gone. */
  #finish(session: Session, { outcome, next }: Ended): Outcome {
    void this.#restore(session, next).then(() => this.#leave());
    if (outcome.phase === 'in_doubt') void outcome.late?.then(() => session.wire.destroy());
    return outcome;
  }

  async #restore(session: Session, next: Next): Promise<void> {
    if (next === 'linger') this.#linger(session);
    if (next === 'linger' || next === 'drop') return;
    if (next === 'reset' && !(await isReset(session.wire))) return session.wire.destroy();
    if (this.#closed || session.messages >= (this.#options.messagesPerSession ?? messagesPerSessionDefault)) {
      return quit(session.wire);
    }
    session.idleTimer = setTimeout(() => void this.#retire(session), this.#options.idleMs ?? idleMsDefault);
    this.#idle.push(session);
  }

  /**
   * Takes no place of those that work, or slow verdicts would stop other mail. Ends with its verdict, with our patience, or when
   * as many as may work have become overdue since.
   */
  #linger(session: Session): void {
    const { wire } = session;
    const timer = setTimeout(() => wire.destroy(), lateVerdictMs);
    void wire.ended.then(() => {
      clearTimeout(timer);
      this.#lingering.delete(session);
    });
    this.#lingering.add(session);
    const [oldest] = this.#lingering;
    if (this.#lingering.size > this.concurrency) oldest?.wire.destroy();
  }

  /** Until it is gone it takes a place, which is free: no more sessions are idle than places are. */
  async #retire(session: Session): Promise<void> {
    this.#idle.splice(this.#idle.indexOf(session), 1);
    this.#busy += 1;
    await quit(session.wire);
    this.#leave();
  }
}

async function isReset(wire: Wire): Promise<boolean> {
  const reply = await wire.ask('RSET').catch(() => '');
  return reply.startsWith('2');
}
