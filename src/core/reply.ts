/** What a relay said, read once where it arrives: from here on it is data, and nobody looks at the words again. */

import type { RelayTrouble } from './relay-trouble.ts';

/** How a reply counts. */
export type Said = {
  /** 2yz, 4yz or 5yz; without a code what it amounts to. */
  class: 'ok' | 'transient' | 'permanent';
  /** Three digits (RFC 5321 4.2). Null: it is not a relay's, or it gave none. */
  code: number | null;
  /** RFC 3463, such as `5.1.1`. */
  enhanced: string | null;
  /** Why nothing was handed over, where the attempt could tell. */
  problem?: RelayTrouble;
  /** A test address only pretends: nothing is learned from it. */
  simulated?: true;
  /** There is no relay: the mail is kept here, and nobody got it. */
  captured?: true;
};

export type Reply = { text: string; said: Said };

/** Somebody's words: a relay's, or our own reason (`said` is null) where it said nothing. */
export type Words = { text: string; said: Said | null };

export function ownWords(text: string): Words {
  return { text, said: null };
}

/** Nothing was decided and no dot left, and this is why. */
export function noReply(text: string, problem: RelayTrouble | null = null): Reply {
  return { text, said: { class: 'transient', code: null, enhanced: null, ...(problem ? { problem } : {}) } };
}

/** A text that begins with three digits, and the enhanced code where a whole one follows. */
const replyPattern = /^([245])\d\d(?:[ -]([245]\.\d{1,3}\.\d{1,3})(?![\d.]*\d))?/;

const classes = { 2: 'ok', 4: 'transient', 5: 'permanent' } as const;

/** Null where the text is not a reply of SMTP. */
export function readReply(text: string): Reply | null {
  const found = replyPattern.exec(text);
  if (!found) return null;
  const digit = found[1] as '2' | '4' | '5';
  return { text, said: { class: classes[digit], code: Number(text.slice(0, 3)), enhanced: found[2] ?? null } };
}

/** Of a row that was written before `said` was stored beside the text. */
export function saidInOldRow(text: string): Said | null {
  if (text === 'simulated: bounced') return simulatedBounce.said;
  return readReply(text)?.said ?? noReply(text, troubleInOldRow(text)).said;
}

/** What bounced@resend.dev simulates is a 550 5.1.1. */
export const simulatedBounce: Reply = {
  text: 'simulated: bounced',
  said: { class: 'permanent', code: 550, enhanced: '5.1.1', simulated: true },
};

/** By the words of the system, of TLS and of the SMTP client that wrote it. */
function troubleInOldRow(text: string): RelayTrouble | null {
  if (/^5?35|auth|credential/i.test(text)) return 'login';
  if (/ENOTFOUND|EAI_AGAIN|getaddrinfo/i.test(text)) return 'name';
  if (/ECONNREFUSED|refused/i.test(text)) return 'nobody_listens';
  if (/timeout|timed out|ETIMEDOUT/i.test(text)) return 'silence';
  if (/certificate|TLS|SSL/i.test(text)) return 'tls';
  return null;
}
