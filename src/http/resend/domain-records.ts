/** The DNS records of a domain, as Resend's API and webhooks show them. */

import type { RecordSeen } from '../../core/change.ts';

/** DMARC's is no record of Resend's API, whose strict clients know the kinds it has: the page shows it. */
export function shownRecords(records: readonly RecordSeen[]) {
  return records
    .filter(({ kind }) => kind !== 'dmarc')
    .map(({ kind, name, value, status }) => ({
      record: kind === 'spf' ? 'SPF' : 'DKIM',
      name,
      type: 'TXT',
      ttl: 'Auto',
      status,
      value,
    }));
}
