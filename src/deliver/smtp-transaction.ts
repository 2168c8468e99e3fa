/** One mail on one session: envelope, body, gate, dot, verdict. Read top to bottom, it is the hand-off of docs/architecture.md. */

import type { EnvelopeReply, Outcome } from '../core/outcome.ts';
import type { Pieces } from '../core/pieces.ts';
import { stuffedPieces } from './dot-stuffing.ts';
import type { Gate, Shipment } from './relay.ts';
import { type Answers, findUnspeakable, fit, isRefusal, sendEnvelope } from './smtp-envelope.ts';
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
import type { SmtpSession } from './smtp-session.ts';
import type { Wire } from './smtp-wire.ts';

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

/** A reply, or why none came. */
type Answer = { error: Error; reply: null } | { error: null; reply: string };

/** Never rejects. Never lets the dot go before `gate` resolved true, and once `gate` was asked, waits for its answer. */
export async function transact(
  session: SmtpSession,
  shipment: Shipment,
  gate: Gate,
  timeouts: TransactionTimeouts,
): Promise<Ended> {
  const { shipment: fitted, unspoken, isPlain } = fit(shipment, session.extensions);
  if (unspoken.length > 0 && fitted.envelope.to.length === 0) {
    return { outcome: { phase: 'refused', refused: unspoken, isOneReply: false }, next: 'reuse', isStale: false };
  }
  const opening: Gate = ({ accepted, refused }) => gate({ accepted, refused: [...unspoken, ...refused] }, isPlain);
  const ended = await transactFitted(session, fitted, opening, timeouts);
  const { outcome } = ended;
  if (unspoken.length === 0 || outcome.phase !== 'refused') return ended;
  return { ...ended, outcome: { ...outcome, refused: [...unspoken, ...outcome.refused], isOneReply: false } };
}

async function transactFitted(
  session: SmtpSession,
  shipment: Shipment,
  gate: Gate,
  timeouts: TransactionTimeouts,
): Promise<Ended> {
  const { wire } = session;
  const { to } = shipment.envelope;
  const unspeakable = findUnspeakable(shipment, session.extensions);
  if (unspeakable)
    return { outcome: refusedBeforeGate(impossible(unspeakable), to, []), next: 'reuse', isStale: false };

  const answers = await sendEnvelope(session, shipment);
  const reply = envelopeReply(to, answers);
  const refused = refusedEnvelope(to, answers, reply);
  if (refused) return endedBeforeData(wire, answers, refused);

  // Asked when the last piece has left our hands: at once for a usual mail, and not minutes before the end of a large one.
  if (!(await handOver(wire, shipment.pieces)))
    return drop(wire, refusedBeforeGate(await insideData(wire), to, reply.refused));
  const opened = await ask(gate, reply);
  if (opened === false) return drop(wire, { phase: 'fenced' });
  if (opened instanceof Error)
    return drop(wire, { phase: 'unreached', reply: undecided(`gate: ${opened.message}`).reply });

  // A failure until the system has every byte before the dot is known to have sent none, and a reply until then to be no verdict.
  await wire.written();
  await turn();
  if (!wire.isAlive || wire.isUnread) return drop(wire, refusedBehindGate(await insideData(wire)));
  wire.setSilence(0);
  wire.write('.\r\n');
  const answer = nextAnswer(wire);
  const inTime = await within(answer, timeouts.verdictMs);
  if (!inTime) return overdue(answer, timeouts);
  wire.setSilence(timeouts.stallMs);
  return endedAfterDot(wire, inTime);
}

function envelopeReply(to: readonly string[], { rcpt }: Answers): EnvelopeReply {
  const said = rcpt.map((text, index) => ({ address: to[index] ?? '', text }));
  const accepted = said.filter(({ text }) => !isRefusal(text)).map(({ address }) => address);
  return envelopeReplyOf(
    accepted,
    said.filter(({ text }) => isRefusal(text)),
  );
}

/** Null: the relay waits for the message. It does so at 354 only: one that is not reading data would run the body as commands. */
function refusedEnvelope(to: string[], { mail, data, error, last }: Answers, known: EnvelopeReply): Outcome | null {
  if (mail !== null && isRefusal(mail)) return refusedBeforeGate(refusalOf(mail), to, []);
  if (known.refused.length === to.length) return { phase: 'refused', refused: known.refused, isOneReply: false };
  if (data !== null && /^354([ -]|$)/.test(data)) return null;
  return refusedBeforeGate(whyNoData(data, error, last), to, known.refused);
}

function whyNoData(data: string | null, error: Error | null, last: string): Refusal {
  if (error) return undecided(error.message);
  if (data === null) return refusalOf(last);
  return /^[23]/.test(data) ? undecided(`DATA was answered ${JSON.stringify(data)}`) : refusalOf(data);
}

/**
 * A 354 that followed refusals alone leaves us inside DATA: nothing may be said there, not even a dot. So the session is used
 * again only where the last command was refused.
 */
function endedBeforeData(wire: Wire, { mail, error, last }: Answers, outcome: Outcome): Ended {
  const isInStep = error === null && wire.isAlive && !wire.isUnread && /^[45]\d\d/.test(last) && !isGoodbye(last);
  if (outcome.phase !== 'unreached' && isInStep) return { outcome, next: 'reset', isStale: false };
  return { ...drop(wire, outcome), isStale: mail === null || isGoodbye(mail) };
}

/** What is handed over in one turn: all of a usual mail. */
const atOnceBytes = 256 * 1024;

/** False where the session ended, or the relay answered, before the last piece was written. */
async function handOver(wire: Wire, pieces: Pieces): Promise<boolean> {
  let some: Uint8Array[] = [];
  let bytes = 0;
  for (const piece of stuffedPieces(pieces)) {
    if (bytes >= atOnceBytes) {
      wire.writeAll(some);
      [some, bytes] = [[], 0];
      await wire.written();
      // A relay that takes everything at once must not keep others waiting.
      await turn();
      if (!wire.isAlive || wire.hasReply) return false;
    }
    some.push(piece);
    bytes += piece.length;
  }
  wire.writeAll(some);
  return true;
}

/** What has arrived is read meanwhile. */
function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

async function ask(gate: Gate, reply: EnvelopeReply): Promise<boolean | Error> {
  try {
    return (await gate(reply)) === true;
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}

/** Stopped between 354 and the dot: none left, and the session must never be used again. */
async function insideData(wire: Wire): Promise<Refusal> {
  if (wire.hasReply) return refusalOf(await wire.reply());
  wire.destroy(new Error('the session ended inside DATA, before the dot'));
  const { error } = await nextAnswer(wire);
  return undecided(error?.message ?? '');
}

function nextAnswer(wire: Wire): Promise<Answer> {
  return wire.reply().then(
    (reply) => ({ error: null, reply }),
    (error: Error) => ({ error, reply: null }),
  );
}

/** Null where none came in time. */
async function within(answer: Promise<Answer>, verdictMs: number): Promise<Answer | null> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<null>((resolve) => {
    // After a pause of the process timers fire before sockets are read: a verdict that has arrived must win.
    timer = setTimeout(() => setImmediate(() => resolve(null)), verdictMs);
  });
  const first = await Promise.race([answer, timeout]);
  clearTimeout(timer);
  return first;
}

/** Silence is no verdict, and no end either: while the session lives, the relay may still say what it did. */
function overdue(answer: Promise<Answer>, { verdictMs }: TransactionTimeouts): Ended {
  const late = answer.then(outcomeOf);
  return {
    outcome: { phase: 'in_doubt', reason: `no verdict within ${verdictMs} ms`, late },
    next: 'linger',
    isStale: false,
  };
}

function endedAfterDot(wire: Wire, answer: Answer): Ended {
  const outcome = outcomeOf(answer);
  const isSpent = outcome.phase === 'in_doubt' || isGoodbye(answer.reply ?? '');
  return isSpent ? drop(wire, outcome) : { outcome, next: 'reuse', isStale: false };
}

function outcomeOf({ error, reply }: Answer): Outcome {
  return error ? { phase: 'in_doubt', reason: error.message } : verdictOf(reply);
}

function drop(wire: Wire, outcome: Outcome): Ended {
  wire.destroy();
  return { outcome, next: 'drop', isStale: false };
}
