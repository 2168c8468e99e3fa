/** What is said over one listening socket: signing in, MAIL, RCPT and DATA, each put to who takes the mail. */

import { isIP } from 'node:net';
import type {
  SMTPServerAddress,
  SMTPServerAuthentication,
  SMTPServerDataStream,
  SMTPServerOptions,
  SMTPServerSession,
} from 'smtp-server';
import { AppError, CommitUnknown } from '../core/error.ts';
import { isLoopback } from '../core/loopback.ts';
import { ClientGone } from '../http/arriving.ts';
import type { Caller, KeyCheck } from '../http/auth.ts';
import type { Bodies } from '../http/bodies.ts';
import type { RateLimit } from '../http/rate-limit.ts';
import { createRequestId } from '../http/request-id.ts';
import { log } from '../log.ts';
import { readMailAsks, readRecipientAsks } from './dsn.ts';
import type { Intake, Transaction } from './intake.ts';
import { Refusal, refusalOf } from './replies.ts';
import { type StrangerLimits, Strangers, strangerLimits } from './strangers.ts';

export type SessionParts = {
  checkKey: KeyCheck;
  bodies: Bodies;
  rateLimit: RateLimit;
  /** Asked in this order. */
  intakes: readonly Intake[];
  strangers?: StrangerLimits;
};

/** What is to be done about a connection itself. */
export type Connections = {
  /** Ends it without another word: no reply would be true. */
  cut(session: SMTPServerSession): void;
  /** A mail is read, or accepted: until it is over no stop may end the connection with a reply. */
  busy(session: SMTPServerSession, isBusy: boolean): void;
  /** Ends it with a reply, unless a mail is under way. */
  sendAway(session: SMTPServerSession): void;
};

type Handlers = Required<
  Pick<SMTPServerOptions, 'onConnect' | 'onClose' | 'onSecure' | 'onAuth' | 'onMailFrom' | 'onRcptTo' | 'onData'>
>;

/** What is known of a connection beside what the library keeps. */
type State = { token: string | null; transaction: Transaction | null; intake: Intake | null };

/** What still comes of a mail that was refused, before its connection is cut. */
const refusedBytesMax = 64 * 1024 * 1024;

type Callback<T> = (error?: Error | null, value?: T) => void;

export class MailSessions {
  readonly #parts: SessionParts;
  readonly #connections: Connections;
  readonly #strangers: Strangers;
  readonly #states = new WeakMap<SMTPServerSession, State>();

  constructor(parts: SessionParts, connections: Connections) {
    this.#parts = parts;
    this.#connections = connections;
    this.#strangers = new Strangers(parts.strangers ?? strangerLimits);
  }

  readonly handlers: Handlers = {
    onConnect: (session, callback) => {
      if (!maySignIn(session)) session.disabledCommands = ['AUTH'];
      const { id, remoteAddress } = session;
      const mayStay = this.#strangers.enter(id, remoteAddress, () => this.#connections.sendAway(session));
      callback(mayStay ? null : tooManyStrangers());
    },
    onClose: ({ id }) => this.#strangers.leave(id),
    onSecure(_socket, session, callback) {
      delete session.disabledCommands;
      callback();
    },
    onAuth: (auth, session, callback) =>
      this.#answer(session, this.#signIn(auth, session), callback as Callback<{ user: string }>),
    onMailFrom: (from, session, callback) => this.#answer(session, this.#begin(from, session), callback),
    onRcptTo: (to, session, callback) => this.#answer(session, this.#add(to, session), callback),
    onData: (stream, session, callback) => {
      this.#connections.busy(session, true);
      const work = this.#receive(stream, session).finally(() => {
        this.#connections.busy(session, false);
        Object.assign(this.#stateOf(session), { transaction: null, intake: null });
      });
      this.#answer(session, work, callback as Callback<string>);
    },
  };

  #stateOf(session: SMTPServerSession): State {
    const state = this.#states.get(session) ?? { token: null, transaction: null, intake: null };
    this.#states.set(session, state);
    // TLS was begun: what was said in the clear is forgotten (RFC 3207 4.2).
    if (!session.user) state.token = null;
    return state;
  }

  /** Each mail anew: a key may be revoked, and an account disabled, while its connection lives. */
  async #callerOf(session: SMTPServerSession): Promise<Caller | null> {
    const { token } = this.#stateOf(session);
    return token === null ? null : this.#parts.checkKey(session, token, () => session.remoteAddress);
  }

  async #signIn(auth: SMTPServerAuthentication, session: SMTPServerSession): Promise<{ user: string }> {
    if (!maySignIn(session)) throw new Refusal(538, '5.7.11 Encryption is needed to sign in: use STARTTLS first.');
    const token = auth.password?.trim() ?? '';
    if (token === '') throw new Refusal(535, '5.7.8 The password is an API key; any user name will do.');
    const { account } = await this.#parts.checkKey(session, token, () => session.remoteAddress);
    this.#states.set(session, { token, transaction: null, intake: null });
    this.#strangers.leave(session.id);
    return { user: account };
  }

  async #begin(from: SMTPServerAddress, session: SMTPServerSession): Promise<void> {
    const caller = await this.#callerOf(session);
    if (!caller && !(await this.#isOpen())) throw notSignedIn(session);
    if (caller) this.#parts.rateLimit(caller.account, caller.requestsPerSecond);
    const client = {
      address: session.remoteAddress,
      name: session.hostNameAppearsAs,
      protocol: protocolOf(session, caller !== null),
    };
    const { SIZE = 0 } = from.args || {};
    const dsn = readMailAsks(from.args || {});
    const transaction = {
      id: createRequestId(),
      caller,
      client,
      from: from.address,
      to: [],
      declaredBytes: Number(SIZE),
      dsn,
    };
    Object.assign(this.#stateOf(session), { transaction, intake: null });
  }

  async #isOpen(): Promise<boolean> {
    for (const { isOpen = () => true } of this.#parts.intakes) if (await isOpen()) return true;
    return false;
  }

  async #add({ address, args }: SMTPServerAddress, session: SMTPServerSession): Promise<void> {
    const state = this.#stateOf(session);
    const { transaction } = state;
    if (!transaction) throw new Refusal(503, '5.5.1 MAIL comes first.');
    const asked = readRecipientAsks(args || {});
    const intake = await this.#findIntake(address, transaction);
    if (!intake)
      throw transaction.caller ? new Refusal(550, '5.7.1 Nobody here takes mail for it.') : notSignedIn(session);
    if (state.intake && state.intake !== intake) throw new Refusal(451, '4.5.3 Send this one in a mail of its own.');
    state.intake = intake;
    if (!transaction.to.includes(address)) transaction.to.push(address);
    if (asked) transaction.dsn.recipients[address.toLowerCase()] = asked;
  }

  async #findIntake(recipient: string, transaction: Transaction): Promise<Intake | null> {
    for (const intake of this.#parts.intakes) if (await intake.takes(recipient, transaction)) return intake;
    return null;
  }

  async #receive(stream: SMTPServerDataStream, session: SMTPServerSession): Promise<string> {
    const { transaction, intake } = this.#stateOf(session);
    if (!transaction || !intake) throw new Refusal(503, '5.5.1 MAIL and RCPT come first.');
    const { declaredBytes: declared } = transaction;
    const { bytesMax } = intake;
    stream.on('data', () => {
      if (stream.byteLength > bytesMax + refusedBytesMax) this.#connections.cut(session);
    });
    const mail = await this.#parts.bodies.readFrom(stream, { declared, bytesMax, look: intake.look?.(transaction) });
    try {
      return await intake.receive(transaction, mail);
    } finally {
      mail.release();
    }
  }

  #answer<T>(session: SMTPServerSession, work: Promise<T>, callback: Callback<T>): void {
    work.then(
      (value) => callback(null, value),
      (error: unknown) => {
        const refusal = this.#replyTo(error, session);
        if (refusal) callback(refusal);
        else this.#connections.cut(session);
      },
    );
  }

  /** Null: there is no reply that would be true, or nobody to hear it. */
  #replyTo(error: unknown, session: SMTPServerSession): Refusal | null {
    if (error instanceof Refusal) return error;
    const asked = { request: this.#states.get(session)?.transaction?.id ?? session.id, method: 'SMTP', path: '/smtp' };
    if (error instanceof CommitUnknown) log.commitNotFoundOut(error.cause);
    else if (!(error instanceof AppError || error instanceof ClientGone)) log.requestFailed(asked, error);
    // Whoever sends too slowly would not read it, and whatever should not happen may have happened after the commit.
    if (!(error instanceof AppError) || error.code === 'too_slow') return null;
    if (error.code === 'unavailable') log.unavailable(asked, error);
    return refusalOf(error);
  }
}

function tooManyStrangers(): Refusal {
  return new Refusal(421, '4.7.0 Too many connections from here have not signed in: try again in a moment.');
}

/** A key in the clear goes no further than this machine. */
function maySignIn({ secure, remoteAddress }: SMTPServerSession): boolean {
  return secure || (isIP(remoteAddress) > 0 && isLoopback(remoteAddress));
}

function notSignedIn(session: SMTPServerSession): Refusal {
  if (!maySignIn(session))
    return new Refusal(530, '5.7.0 Use STARTTLS, and then sign in with an API key as the password.');
  return new Refusal(530, '5.7.0 Sign in first, with an API key as the password.');
}

/** RFC 3848. */
function protocolOf({ secure, openingCommand }: SMTPServerSession, isSignedIn: boolean): string {
  if (openingCommand !== 'EHLO') return 'SMTP';
  return `ESMTP${secure ? 'S' : ''}${isSignedIn ? 'A' : ''}`;
}
