/** What Brevo's transactional webhooks tell, one event or several in one request. developers.brevo.com/docs/transactional-webhooks */

import type { NoticeKind } from '../core/notice.ts';
import { type Heard, isJson, noticeOf, textIn } from './heard.ts';

const kinds: ReadonlyMap<string, NoticeKind> = new Map([
  ['hard_bounce', 'bounced'],
  ['soft_bounce', 'bounced'],
  ['blocked', 'bounced'],
  ['invalid_email', 'bounced'],
  ['error', 'bounced'],
  ['spam', 'complained'],
  ['complaint', 'complained'],
  ['delivered', 'delivered'],
  ['deferred', 'delayed'],
] as const);

/** More than Brevo puts into one request. */
const eventsMax = 1_000;

export function readBrevoEvents(body: unknown): Heard[] {
  const events = Array.isArray(body) ? body.slice(0, eventsMax) : [body];
  return events.flatMap((event) => {
    const kind = isJson(event) ? kinds.get(textIn(event.event)) : undefined;
    if (!isJson(event) || kind === undefined) return [];
    const notice = noticeOf(kind, textIn(event.email), textIn(event.reason), event.event === 'soft_bounce');
    const { ts_epoch } = event;
    const at = typeof ts_epoch === 'number' && Number.isFinite(ts_epoch) ? ts_epoch : null;
    return [{ upstreamId: textIn(event['message-id']) || null, envelopeIds: [], at, notices: [notice] }];
  });
}
