/** Reads what a relay said: strictly after the dot, where a guess could lose or double a mail, by its class before it. */

import type { EnvelopeReply, Outcome, RecipientReply } from '../core/outcome.ts';

/** What is kept of a reply, which has no upper bound of its own. */
const REPLY_CHARS_MAX = 1000;

type Reply = { code: number; text: string };

/**
 * One complete reply (RFC 5321 4.2): three digits on every line, the same ones, all but the last line continued.
 * Anything else, such as `25`, `2xx ok` or mixed codes, is null: not a verdict.
 */
export function parseReply(text: string): Reply | null {
  const lines = text.split('\n');
  const last = /^([2-5]\d\d)( [^\n]*)?$/.exec(lines.at(-1) ?? '');
  if (last === null) return null;
  const continued = lines.slice(0, -1).every((line) => line.startsWith(`${last[1]}-`));
  return continued ? { code: Number(last[1]), text: lines.join(' ').slice(0, REPLY_CHARS_MAX) } : null;
}

/** The verdict on a dot that was released. */
export function verdictOf(text: string): Outcome {
  const reply = parseReply(text);
  switch (reply && Math.floor(reply.code / 100)) {
    case 2:
      return { kind: 'sent', reply: reply?.text ?? text };
    case 4:
      return { kind: 'deferred', reply: reply?.text ?? text };
    case 5:
      return { kind: 'bounced', reply: reply?.text ?? text };
    default:
      return { kind: 'in_doubt', reason: `not a verdict: ${excerpt(text)}` };
  }
}

/**
 * A refusal of MAIL or DATA, or one inside DATA before the dot was released: no dot left, so each answer is safe.
 * 4yz defers and 5yz bounces, because a relay need not wait for the dot to say it will not take a mail. Whatever else it
 * said (a premature 2yz, garbage) breaks the protocol and decides nothing.
 */
export function refusalOf(text: string): Outcome {
  const reply = parseReply(text);
  if (reply === null || reply.code < 400) return { kind: 'unreached', reason: `unexpected reply: ${excerpt(text)}` };
  if (asksForCredentials(reply.code)) return { kind: 'unreached', reason: `the relay refuses us: ${reply.text}` };
  return { kind: reply.code < 500 ? 'deferred' : 'bounced', reply: reply.text };
}

/** What each refused RCPT comes to. Only a clean 5yz about the recipient bounces: garbage and AUTH trouble defer. */
export function envelopeReplyOf(accepted: string[], refused: RecipientReply[]): EnvelopeReply {
  const isBounce = ({ reply }: RecipientReply) => {
    const code = parseReply(reply)?.code ?? 0;
    return code >= 500 && !asksForCredentials(code);
  };
  const plain = refused.map(({ address, reply }) => ({
    address,
    reply: reply.split('\n').join(' ').slice(0, REPLY_CHARS_MAX),
  }));
  return {
    accepted: [...accepted],
    bounced: plain.filter((_, index) => isBounce(refused[index] as RecipientReply)),
    deferred: plain.filter((_, index) => !isBounce(refused[index] as RecipientReply)),
  };
}

/** Joins a refusal of MAIL or DATA with what RCPT was answered, where the gate has not recorded the latter. */
export function withRecipients(outcome: Outcome, reply: EnvelopeReply): Outcome {
  const isMixed = reply.bounced.length + reply.deferred.length > 0;
  if (!isMixed || (outcome.kind !== 'bounced' && outcome.kind !== 'deferred')) return outcome;
  const rest = reply.accepted.map((address) => ({ address, reply: outcome.reply }));
  return {
    kind: 'refused',
    bounced: outcome.kind === 'bounced' ? [...reply.bounced, ...rest] : reply.bounced,
    deferred: outcome.kind === 'deferred' ? [...reply.deferred, ...rest] : reply.deferred,
  };
}

/** 421 (RFC 5321 3.8) and x.4.2 (RFC 3463; SES says `451 4.4.2`): the relay gave up on the session, not on the mail. */
export function isGoodbye(text: string): boolean {
  return /^(421[ -]|4\d\d[ -]4\.4\.2\b)/.test(text);
}

/** 530, 534, 535, 538 (RFC 4954, RFC 3207): credentials or TLS are wanted. The operator's problem, never a bounce. */
function asksForCredentials(code: number): boolean {
  return code === 530 || code === 534 || code === 535 || code === 538;
}

function excerpt(text: string): string {
  return JSON.stringify(text.slice(0, REPLY_CHARS_MAX));
}
