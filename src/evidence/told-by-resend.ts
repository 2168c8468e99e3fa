/** What Resend's webhooks tell, and another Sendonce's, which are the same. resend.com/docs/dashboard/webhooks/event-types */

import type { NoticeKind } from '../core/notice.ts';
import { type Heard, isJson, type Json, momentIn, noticeOf, textIn, textsIn } from './heard.ts';

const kinds: ReadonlyMap<string, NoticeKind> = new Map([
  ['email.bounced', 'bounced'],
  ['email.failed', 'bounced'],
  ['email.suppressed', 'bounced'],
  ['email.complained', 'complained'],
  ['email.delivered', 'delivered'],
  ['email.delivery_delayed', 'delayed'],
] as const);

/** None: it tells of something else, such as an opened mail. */
export function readResendEvent(event: unknown): Heard[] {
  if (!isJson(event) || !isJson(event.data)) return [];
  const { data } = event;
  const kind = kinds.get(textIn(event.type));
  if (kind === undefined) return [];
  const { words, isTransient } = wordsOf(data);
  const notices = textsIn(data.to).map((to, index) => noticeOf(kind, to, words[index] ?? words[0] ?? '', isTransient));
  return [{ upstreamId: textIn(data.email_id) || null, envelopeIds: [], at: momentIn(event.created_at), notices }];
}

function wordsOf({ bounce, failed, suppressed, message }: Json): { words: string[]; isTransient: boolean } {
  if (isJson(bounce)) {
    const codes = textsIn(bounce.diagnosticCode);
    return { words: codes.length > 0 ? codes : [textIn(bounce.message)], isTransient: bounce.type === 'Transient' };
  }
  if (isJson(failed)) return { words: [textIn(failed.reason)], isTransient: false };
  return { words: [isJson(suppressed) ? textIn(suppressed.message) : textIn(message)], isTransient: false };
}
