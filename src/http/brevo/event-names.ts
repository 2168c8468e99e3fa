/** Our events in the words of Brevo's log and reports (docs/brevo.md has all of its vocabularies). */

import { describeBounce } from '../../core/bounce.ts';
import type { EventType } from '../../core/event.ts';
import type { Said } from '../../core/reply.ts';
import { invalid } from './refusal.ts';

/** What a report may be asked for; the ones we never see make an empty report. */
const reportNames = [
  'bounces',
  'hardBounces',
  'softBounces',
  'delivered',
  'spam',
  'requests',
  'opened',
  'clicks',
  'invalid',
  'deferred',
  'blocked',
  'unsubscribed',
  'error',
  'loadedByProxy',
] as const;

export type ReportName = (typeof reportNames)[number];

/** Null: Brevo has no word for it. `requests` is an email that was accepted, which is no event of ours. */
export function reportNameOf(type: EventType, said: Said | null): ReportName | null {
  switch (type) {
    case 'delivered':
      return 'delivered';
    case 'delivery_delayed':
      return 'deferred';
    case 'bounced':
      // Refused for good, or tried for days and given up.
      return describeBounce(said).type === 'Permanent' ? 'hardBounces' : 'softBounces';
    case 'complained':
      return 'spam';
    case 'failed':
      return 'error';
    case 'suppressed':
      return 'blocked';
    default:
      return null;
  }
}

/** What has a name in reports. */
export const reportedTypes: readonly EventType[] = [
  'delivered',
  'delivery_delayed',
  'bounced',
  'complained',
  'failed',
  'suppressed',
];

/** Null where all are wanted. */
export function parseReportName(text: string | undefined): ReportName | null {
  if (!text) return null;
  const name = reportNames.find((one) => one === text);
  if (name) return name;
  throw invalid('event', `it must be one of ${reportNames.join(', ')}`);
}

export function isWanted(wanted: ReportName | null, name: ReportName): boolean {
  if (wanted === 'bounces') return name === 'hardBounces' || name === 'softBounces';
  return wanted === null || wanted === name;
}
