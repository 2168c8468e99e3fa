/** Reads the parameters of MAIL and RCPT by which a client asks for notices (RFC 3461 4). */

import type { DsnAsked, NotifyWord, RecipientAsked } from '../core/dsn.ts';
import { isAsciiText } from '../core/plain.ts';
import { Refusal } from './replies.ts';

/** By name in capitals; what they may be beyond this is checked by who reads the command: RET, NOTIFY, and none of them twice. */
type Parameters = Readonly<Record<string, unknown>>;

/** RFC 3461 4.4 and 4.2. */
const envelopeIdCharsMax = 100;
const originalCharsMax = 500;

/** @throws Refusal */
export function readMailAsks({ RET, ENVID }: Parameters): DsnAsked {
  const envelopeId = typeof ENVID === 'string' ? ENVID : null;
  if (envelopeId !== null && !(envelopeId.length <= envelopeIdCharsMax && isPrintable(envelopeId))) {
    throw new Refusal(501, `5.5.4 ENVID takes ${envelopeIdCharsMax} printable characters at most (RFC 3461 4.4).`);
  }
  const ret = typeof RET === 'string' && RET.toUpperCase() === 'FULL' ? 'FULL' : RET === undefined ? null : 'HDRS';
  return { ret, envelopeId, recipients: {} };
}

/** Null: nothing is asked. @throws Refusal */
export function readRecipientAsks({ NOTIFY, ORCPT }: Parameters): RecipientAsked | null {
  if (typeof NOTIFY !== 'string' && typeof ORCPT !== 'string') return null;
  const notify = typeof NOTIFY === 'string' ? (NOTIFY.toLowerCase().split(',') as NotifyWord[]) : null;
  return { notify, original: typeof ORCPT === 'string' ? originalIn(ORCPT) : null };
}

/** Of one that is written out in UTF-8 (RFC 6533 3) not every relay could be told: it is named anew. */
function originalIn(text: string): string | null {
  const isWrittenOut = /^utf-8;/i.test(text) && !isAsciiText(text);
  if (text.length > originalCharsMax || !(isWrittenOut || isPrintable(text))) {
    throw new Refusal(501, `5.5.4 ORCPT takes ${originalCharsMax} printable characters at most (RFC 3461 4.2).`);
  }
  return isWrittenOut ? null : text;
}

/** RFC 3461 4: what xtext is written for. */
function isPrintable(text: string): boolean {
  return /^[ -~]+$/.test(text);
}
