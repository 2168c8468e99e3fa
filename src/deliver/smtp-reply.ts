/** Reads what a relay said: strictly after the dot, where a guess could lose or double a mail, by its class before it. */

import type { EnvelopeReply, Outcome, RecipientReply } from '../core/outcome.ts';
import { noReply, type Reply, readReply } from '../core/reply.ts';

/** What is kept of a reply, which has no upper bound of its own. */
const replyCharsMax = 1000;

/**
 * One complete reply (RFC 5321 4.2): three digits on every line, the same ones, all but the last line continued.
 * Anything else, such as `25`, `2xx ok` or mixed codes, is null: not a verdict. So is 3yz, which decides nothing.
 */
export function parseReply(text: string): Reply | null {
  const lines = text.split('\n');
  const last = /^([2-5]\d\d)( [^\n]*)?$/.exec(lines.at(-1) ?? '');
  if (last === null) return null;
  const continued = lines.slice(0, -1).every((line) => line.startsWith(`${last[1]}-`));
  return continued ? readReply(lines.join(' ').slice(0, replyCharsMax)) : null;
}

/** The verdict on a dot that was released. */
export function verdictOf(text: string): Outcome {
  const reply = parseReply(text);
  return reply ? { phase: 'verdict', reply } : { phase: 'in_doubt', reason: `not a verdict: ${excerpt(text)}` };
}

/** What a reply before the dot comes to: it decides about the mail, or about nothing. */
export type Refusal = { isDecision: boolean; reply: Reply };

/**
 * A refusal of MAIL or DATA, or one inside DATA before the dot was released: no dot left, so each answer is safe.
 * 4yz puts the mail off and 5yz rejects it, because a relay need not wait for the dot to say it will not take a mail. Whatever else it
 * said (a premature 2yz, garbage) breaks the protocol and decides nothing.
 */
export function refusalOf(text: string): Refusal {
  const reply = parseReply(text);
  if (reply === null || reply.said.class === 'ok') return undecided(`unexpected reply: ${excerpt(text)}`);
  if (asksForCredentials(reply))
    return { isDecision: false, reply: noReply(`the relay refuses us: ${reply.text}`, 'login') };
  return { isDecision: true, reply };
}

export function undecided(reason: string): Refusal {
  return { isDecision: false, reply: noReply(reason) };
}

/** Found on our side, and no retry can change it. */
export function impossible(reason: string): Refusal {
  return { isDecision: true, reply: { text: reason, said: { class: 'permanent', code: null, enhanced: null } } };
}

/** What each refused RCPT comes to, as the relay worded it. */
export function envelopeReplyOf(accepted: string[], refused: { address: string; text: string }[]): EnvelopeReply {
  return {
    accepted: [...accepted],
    refused: refused.map(({ address, text }) => ({ address, reply: recipientReply(text) })),
  };
}

/** Only a clean 5yz about the recipient is for good: garbage and trouble with our login are for now. */
function recipientReply(text: string): Reply {
  const reply = parseReply(text);
  if (reply === null || reply.said.class === 'ok')
    return noReply(text.split('\n').join(' ').slice(0, replyCharsMax), null);
  if (!asksForCredentials(reply)) return reply;
  return { text: reply.text, said: { ...reply.said, class: 'transient', problem: 'login' } };
}

/** Before the gate: a decision is about every recipient that RCPT did not refuse already. */
export function refusedBeforeGate({ isDecision, reply }: Refusal, to: string[], known: RecipientReply[]): Outcome {
  if (!isDecision) return { phase: 'unreached', reply };
  const rest = to.filter((address) => !known.some((one) => one.address === address));
  const refused = [...known, ...rest.map((address) => ({ address, reply }))];
  return { phase: 'refused', refused, isOneReply: known.length === 0 };
}

/** Behind the gate, and before the dot: the gate has recorded what each RCPT was answered. */
export function refusedBehindGate({ isDecision, reply }: Refusal): Outcome {
  return isDecision ? { phase: 'verdict', reply } : { phase: 'unreached', reply };
}

/** 421 (RFC 5321 3.8) and x.4.2 (RFC 3463; SES says `451 4.4.2`): the relay gave up on the session, not on the mail. */
export function isGoodbye(text: string): boolean {
  return /^(421[ -]|4\d\d[ -]4\.4\.2\b)/.test(text);
}

/** 530, 534, 535, 538 (RFC 4954, RFC 3207): credentials or TLS are wanted. The operator's problem, never a bounce. */
function asksForCredentials({ said }: Reply): boolean {
  return said.code === 530 || said.code === 534 || said.code === 535 || said.code === 538;
}

function excerpt(text: string): string {
  return JSON.stringify(text.slice(0, replyCharsMax));
}
