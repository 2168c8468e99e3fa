/** One mail on one session: envelope, body, gate, dot, verdict. Read top to bottom, it is the hand-off of docs/architecture.md. */

import { isAscii } from 'node:buffer';
import type SMTPConnection from 'nodemailer/lib/smtp-connection';
import type { EnvelopeReply, Outcome } from '../core/outcome.ts';
import { GatedBody } from './gated-body.ts';
import type { Gate, Shipment } from './relay.ts';
import {
  envelopeReplyOf,
  impossible,
  isGoodbye,
  type Refusal,
  refusalOf,
  refusedBeforeGate,
  refusedBehindGate,
  undecided,
  verdictOf,
} from './smtp-reply.ts';

/**
 * What the session may be used for next. `reset`: the relay still holds an envelope that came to nothing. `linger`: its verdict
 * is overdue and may still come; for nothing else.
 */
export type Next = 'reuse' | 'reset' | 'linger' | 'drop';

export type Ended = {
  outcome: Outcome;
  next: Next;
  /** The session was dead before MAIL was answered: nothing of this mail reached anybody. */
  isStale: boolean;
};

export type TransactionTimeouts = { verdictMs: number; stallMs: number };

type SmtpError = SMTPConnection.SMTPError;
/** What nodemailer called back with: the reply to the dot as it sees it, or an error. */
type Answer = { error: SmtpError; reply: null } | { error: null; reply: string };
/** nodemailer writes its findings into the object it is given. */
type SentEnvelope = SMTPConnection.Envelope & { to: string[]; accepted?: string[]; rejectedErrors?: SmtpError[] };

type Sending = {
  connection: SMTPConnection;
  envelope: SentEnvelope;
  body: GatedBody;
  answer: Promise<Answer>;
  /** Same as `answer`, to be asked without waiting. */
  answered: Answer | null;
  /** What MAIL was refused with. */
  mailError: SmtpError | null;
  /** What DATA was answered, once it was. */
  dataReply: string | null;
};

const noBytes = Buffer.alloc(0);

/** Never rejects. Never lets the dot go before `gate` resolved true, and once `gate` was asked, waits for its answer. */
export async function transact(
  connection: SMTPConnection,
  shipment: Shipment,
  gate: Gate,
  timeouts: TransactionTimeouts,
): Promise<Ended> {
  connection.lastServerResponse = false;
  const sending = startSending(connection, shipment);
  const early = await Promise.race([sending.answer, sending.body.handedOver]);
  if (early) return endedBeforeGate(sending, early);

  // Asked when the last chunk has left our hands: at once for a usual mail, and not minutes before the end of a large one.
  const reply = envelopeReply(sending);
  const opened = await ask(gate, reply);
  if (opened === false) return drop(sending, { phase: 'fenced' });
  if (opened instanceof Error)
    return drop(sending, { phase: 'unreached', reply: undecided(`gate: ${opened.message}`).reply });

  await bodyWritten(sending);
  if (!isReadyForDot(sending)) return drop(sending, refusedBehindGate(insideData(sending.answered)));
  sending.body.release();
  const answer = await verdictWithin(sending, timeouts);
  return answer ? endedAfterDot(sending, answer) : overdue(sending, timeouts);
}

function startSending(connection: SMTPConnection, shipment: Shipment): Sending {
  let settle: (answer: Answer) => void = () => {};
  const answer = new Promise<Answer>((resolve) => {
    settle = resolve;
  });
  const sending: Sending = {
    connection,
    envelope: envelopeOf(shipment),
    body: new GatedBody(shipment.bytes, () => mayStartBody(sending, settle)),
    answer,
    answered: null,
    mailError: null,
    dataReply: null,
  };
  const finish = (error: SmtpError | null, reply: string | undefined) => {
    sending.answered ??= error ? { error, reply: null } : { error: null, reply: reply ?? '' };
    connection.removeListener('end', onEnd);
    settle(sending.answered);
  };
  // nodemailer does not call back for a session closed without an error; where it does, it does so in this same turn.
  const onEnd = () => setImmediate(() => finish(new Error('connection closed'), undefined));
  connection.once('end', onEnd);
  watchRefusals(sending);
  try {
    connection.send(sending.envelope, sending.body, (error, result) => finish(error, result?.response));
  } catch (error) {
    finish(error instanceof Error ? error : new Error(String(error)), undefined);
  }
  return sending;
}

function envelopeOf({ envelope, bytes, envelopeId }: Shipment): SentEnvelope {
  return {
    from: envelope.from,
    to: [...envelope.to],
    size: bytes.length,
    use8BitMime: !isAscii(bytes),
    dsn: { envid: envelopeId, ret: 'HDRS' },
  };
}

/**
 * With PIPELINING, DATA has gone out before RCPT was answered, and nodemailer ends a 354 that follows refusals alone with an
 * empty message: a dot nobody's gate allowed. It drops the connection instead where MAIL was refused, and asks this member
 * whether it was; so every recipient refused counts as that.
 */
function watchRefusals(sending: Sending): void {
  Object.defineProperty(sending.envelope, 'mailError', {
    get: () => sending.mailError ?? (isAllRefused(sending.envelope) ? new Error('every recipient was refused') : null),
    set: (error: SmtpError) => {
      sending.mailError = error;
    },
  });
}

function isAllRefused({ to, accepted, rejectedErrors }: SentEnvelope): boolean {
  return accepted?.length === 0 && rejectedErrors?.length === to.length;
}

/**
 * nodemailer takes 2yz for a go-ahead too. We do not: a relay that is not reading data would run the body as commands. It
 * also proves that replies and commands are in step, since nothing but DATA is answered with 354.
 */
function mayStartBody(sending: Sending, settle: (answer: Answer) => void): boolean {
  const reply = String(sending.connection.lastServerResponse);
  sending.dataReply = reply;
  if (/^354([ -]|$)/.test(reply)) return true;
  sending.answered = { error: new Error(`DATA was answered ${JSON.stringify(reply)}`), reply: null };
  settle(sending.answered);
  return false;
}

function envelopeReply({ envelope }: Sending): EnvelopeReply {
  const refused = (envelope.rejectedErrors ?? []).map((error) => ({
    address: error.recipient ?? '',
    text: error.response ?? '',
  }));
  return envelopeReplyOf(envelope.accepted ?? [], refused);
}

async function ask(gate: Gate, reply: EnvelopeReply): Promise<boolean | Error> {
  try {
    return (await gate(reply)) === true;
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}

/**
 * Waits until the system has every byte before the dot, so that a failure until then is known to have sent none, and a
 * reply until then is known not to be a verdict.
 */
async function bodyWritten(sending: Sending): Promise<void> {
  const socket = sending.connection._socket;
  if (!socket) return;
  const isPending = () => isAlive(sending) && sending.body.pendingBytes + socket.writableLength > 0;
  while (isPending()) {
    // A turn is all that a write the system took at once needs to be counted.
    await new Promise((resolve) => setImmediate(resolve));
    // Else its buffers are full. An empty write is called back when those before it are out; 'drain' may not come.
    // A session that ends is not waited for: a write that hangs below us might never be called back.
    if (isPending() && socket.writableLength > 0) {
      await Promise.race([sending.answer, new Promise((resolve) => socket.write(noBytes, resolve))]);
    }
  }
}

function isAlive({ connection, answered }: Sending): boolean {
  const socket = connection._socket;
  return answered === null && !connection.destroyed && Boolean(socket && !socket.destroyed && socket.writable);
}

function isReadyForDot(sending: Sending): boolean {
  return isAlive(sending) && !hasUnreadReply(sending.connection);
}

/**
 * True if the relay has said more than was asked. nodemailer takes replies one a turn; one that waits in its queue when the
 * dot leaves, or when the session is used again, would be taken for the answer to what comes next. Its queue is internal:
 * the version is pinned and tests bite.
 */
export function hasUnreadReply(connection: SMTPConnection): boolean {
  const { _responseQueue: queue, _remainder: rest } = connection as unknown as Record<string, { length: number }>;
  return (queue?.length ?? 0) > 0 || (rest?.length ?? 0) > 0;
}

/** Null where none came in time. */
async function verdictWithin(sending: Sending, timeouts: TransactionTimeouts): Promise<Answer | null> {
  const socket = sending.connection._socket;
  if (socket) socket.setTimeout(0);
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<null>((resolve) => {
    // After a pause of the process timers fire before sockets are read: a verdict that has arrived must win.
    timer = setTimeout(() => setImmediate(() => resolve(null)), timeouts.verdictMs);
  });
  const answer = await Promise.race([sending.answer, timeout]);
  clearTimeout(timer);
  if (answer && socket && !socket.destroyed) socket.setTimeout(timeouts.stallMs);
  return answer;
}

/** Silence is no verdict, and no end either: while the session lives, the relay may still say what it did. */
function overdue(sending: Sending, { verdictMs }: TransactionTimeouts): Ended {
  const late = sending.answer.then((answer) => endedAfterDot(sending, answer).outcome);
  const outcome: Outcome = { phase: 'in_doubt', reason: `no verdict within ${verdictMs} ms`, late };
  return { outcome, next: 'linger', isStale: false };
}

function endedAfterDot(sending: Sending, { error, reply }: Answer): Ended {
  // Only EMESSAGE is an answer to the dot; an unterminated last line arrives with other codes.
  const text = error === null ? reply : error.code === 'EMESSAGE' ? error.response : undefined;
  const reason = error?.message ?? 'no reply';
  const outcome: Outcome = text === undefined ? { phase: 'in_doubt', reason } : verdictOf(text);
  const isSpent = outcome.phase === 'in_doubt' || isGoodbye(text ?? '') || hasUnreadReply(sending.connection);
  return isSpent ? drop(sending, outcome) : { outcome, next: 'reuse', isStale: false };
}

function endedBeforeGate(sending: Sending, answer: Answer): Ended {
  const { to } = sending.envelope;
  const { refused } = envelopeReply(sending);
  if (sending.dataReply !== null) return drop(sending, refusedBeforeGate(insideData(answer), to, refused));
  const outcome: Outcome = wereAllRefused(sending)
    ? { phase: 'refused', refused, isOneReply: false }
    : refusedBeforeGate(envelopeRefusal(sending, answer.error), to, sending.mailError ? [] : refused);
  const said = sending.connection.lastServerResponse;
  const last = String(said);
  if (outcome.phase !== 'unreached' && !sending.connection.destroyed) {
    if (said === false) return { outcome, next: 'reuse', isStale: false };
    if (/^[45]\d\d/.test(last) && !isGoodbye(last)) return { outcome, next: 'reset', isStale: false };
  }
  const isStale = said === false || (sending.mailError !== null && isGoodbye(last));
  return { ...drop(sending, outcome), isStale };
}

/** MAIL was not refused, and RCPT for each of them. */
function wereAllRefused({ mailError, envelope }: Sending): boolean {
  return !mailError?.response && isAllRefused(envelope);
}

/** Stopped between 354 and the dot: none left, and the session must never be used again. */
function insideData(answer: Answer | null): Refusal {
  if (answer === null) return undecided('the session ended inside DATA, before the dot');
  const { error } = answer;
  if (error === null) return refusalOf(answer.reply);
  if (error.code === 'EMESSAGE' && error.response) return refusalOf(error.response);
  return undecided(error.message);
}

function envelopeRefusal(sending: Sending, error: SmtpError | null): Refusal {
  if (sending.mailError?.response) return refusalOf(sending.mailError.response);
  if (error?.code === 'EENVELOPE' && error.command === 'DATA' && error.response) return refusalOf(error.response);
  if (error?.code === 'ECONNECTION' && error.responseCode === 421) return refusalOf(error.response ?? '');
  // Found by nodemailer itself: larger than the relay's SIZE, an address SMTP cannot say.
  if (error?.code === 'EMESSAGE' || error?.code === 'EENVELOPE') return impossible(error.message);
  return undecided(error?.message ?? 'the session ended before DATA');
}

function drop({ connection, body }: Sending, outcome: Outcome): Ended {
  body.destroy();
  connection.close();
  return { outcome, next: 'drop', isStale: false };
}
