/** What a client asks to be notified of (RFC 3461), and what of it a relay that offers DSN is asked. */

import type { NoticeKind, Returns } from './return-path.ts';

export type NotifyWord = NoticeKind | 'never';

/** As MAIL and RCPT said it, out of xtext. */
export type DsnAsked = {
  ret: 'FULL' | 'HDRS' | null;
  envelopeId: string | null;
  /** By address, in lower case; only those of whom something was asked. */
  recipients: Record<string, RecipientAsked>;
};

export type RecipientAsked = { notify: NotifyWord[] | null; original: string | null };

/** Of one recipient: null leaves it to the relay. */
export type RecipientAsks = { notify: readonly NotifyWord[] | null; original: string | null };

/** RFC 3461 4. */
export function encodeXtext(text: string): string {
  return text.replace(/[^!-*,-<>-~]/g, (char) => `+${char.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`);
}

export function asksAnything({ ret, envelopeId, recipients }: DsnAsked): boolean {
  return ret !== null || envelopeId !== null || Object.keys(recipients).length > 0;
}

/**
 * Where notices come to us the client is told of them by events, so that ours are asked for, and what it asked beside them; where they
 * go to the client, what it asked and nothing else.
 */
export function asksOf(
  address: string,
  { notify, comesToUs }: Pick<Returns, 'notify'> & { comesToUs: boolean },
  asked: DsnAsked | undefined,
): RecipientAsks {
  const { notify: theirs = null, original = null } = asked?.recipients[address.toLowerCase()] ?? {};
  if (!comesToUs) return { notify: theirs, original };
  const wanted = (theirs ?? []).filter((one) => one !== 'never');
  const all = [...new Set([...notify, ...wanted])];
  return { notify: all.length > 0 ? all : null, original };
}
