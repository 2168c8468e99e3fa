/** What a relay with an API of its own tells over HTTP of mails it took: by its id of the mail, or by what carries our MAC. */

import type { Notice, NoticeKind } from '../core/notice.ts';
import type { Reply } from '../core/reply.ts';
import { readSaid } from './said.ts';

export type Heard = {
  /** What the relay calls the mail; null where it does not say. */
  upstreamId: string | null;
  envelopeIds: readonly string[];
  /** When it happened, in epoch milliseconds; null where nothing says so. */
  at: number | null;
  notices: readonly Notice[];
};

export type Json = Readonly<Record<string, unknown>>;

export function isJson(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function textIn(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

/** Those of a list that are texts; a text alone is a list of one. More than any mail has are not looked at. */
export function textsIn(value: unknown): string[] {
  const list = Array.isArray(value) ? value : [value];
  return list.slice(0, 1_000).filter((one) => typeof one === 'string');
}

/** `isTransient`: the relay calls it so, whatever the words are. */
export function noticeOf(kind: NoticeKind, recipient: string, words: string, isTransient = false): Notice {
  const reply = readSaid(kind, words.replace(/^\s*smtp\s*;/i, ''));
  return { kind, recipients: [bareOf(recipient)], reply: kind === 'bounced' && isTransient ? transient(reply) : reply };
}

function transient({ text, said }: Reply): Reply {
  return { text, said: { ...said, class: 'transient' } };
}

/** `Ann <ann@example.com>` and `ann@example.com` are one. */
function bareOf(recipient: string): string {
  return /<([^<>]*)>/.exec(recipient)?.[1] ?? recipient.trim();
}

export function momentIn(value: unknown): number | null {
  const at = typeof value === 'string' ? Date.parse(value) : Number.NaN;
  return Number.isFinite(at) ? at : null;
}
