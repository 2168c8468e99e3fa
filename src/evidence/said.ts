/** What a server said, out of the words around it: the code, the enhanced code, and what both amount to. */

import type { NoticeKind } from '../core/notice.ts';
import { replyCharsMax } from '../core/notice.ts';
import type { Reply, Said } from '../core/reply.ts';

/** `550 5.1.1`, `550-5.1.1`, `#5.1.1`, `(5.1.1)`, `554:`; not the numbers in addresses, dates and sizes. */
const codePattern = /(?:^|[\s:;(<"'#[])([45]\d\d)(?=[\s\-:;,.]|$)(?:[\s\-:]*#?\(?([245]\.\d{1,3}\.\d{1,3})(?![\d.]))?/;
const enhancedPattern = /(?:^|[\s:;(<"'#[-])([245]\.\d{1,3}\.\d{1,3})(?![\d.])/;

/** `status`: what stands for the enhanced code where the format has a place of its own for it. */
export function readSaid(kind: NoticeKind, text: string, status: string = ''): Reply {
  const words = tidy(text);
  const [, code = null, beside] = codePattern.exec(words) ?? [];
  const enhanced = better(
    enhancedPattern.exec(status)?.[1] ?? null,
    beside ?? enhancedPattern.exec(words)?.[1] ?? null,
  );
  const said: Said = { class: classOf(kind, enhanced, code), code: code === null ? null : Number(code), enhanced };
  return { text: words || (enhanced ?? ''), said };
}

/** A status says nothing where its numbers are 0 (RFC 3463 3.1), and the words beside it may say more. */
function better(status: string | null, words: string | null): string | null {
  if (status === null || words === null) return status ?? words;
  return status.endsWith('.0.0') && words[0] === status[0] ? words : status;
}

function classOf(kind: NoticeKind, enhanced: string | null, code: string | null): Said['class'] {
  if (kind === 'delivered' || kind === 'passed_on') return 'ok';
  if (kind === 'delayed') return 'transient';
  return (enhanced ?? code)?.startsWith('4') ? 'transient' : 'permanent';
}

/** On one line, without what would move a cursor. */
export function tidy(text: string): string {
  return text
    .slice(0, 2 * replyCharsMax)
    .replace(/[\s\p{Cc}]+/gu, ' ')
    .trim()
    .slice(0, replyCharsMax);
}
