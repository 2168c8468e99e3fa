/** `message/feedback-report` (RFC 5965): a recipient calls a mail unwanted. */

import type { Notice } from '../core/notice.ts';
import { bare } from './delivery-status.ts';
import { fieldOf, readGroups } from './fields.ts';
import { tidy } from './said.ts';

export type FeedbackReport = { envelopeIds: string[]; returnPaths: string[]; notices: Notice[] };

/** What a person meant. Left out: `not-spam` is praise, `auth-failure` and `dmarc` are about DNS, `virus` is a scanner. */
const complaints: ReadonlySet<string> = new Set(['abuse', 'fraud', 'opt-out', 'opt-out-list', 'other']);

/** `named`: whom the mail it is about was to, where the report does not say. */
export function readFeedbackReport(text: string, named: readonly string[]): FeedbackReport {
  const [fields] = readGroups(text);
  if (!fields) return { envelopeIds: [], returnPaths: [], notices: [] };
  const type = fieldOf(fields, 'feedback-type')
    .toLowerCase()
    .replace(/[^a-z-].*$/s, '');
  const listed = ['original-rcpt-to', 'removal-recipient'].flatMap((name) => fields.get(name) ?? []).map(bare);
  const isp = fieldOf(fields, 'user-agent') || fieldOf(fields, 'reporting-mta');
  const reply = { text: tidy(`${type}${isp ? `, reported by ${isp}` : ''}`), said: null };
  const recipients = listed.length > 0 ? [...new Set(listed)] : [...named];
  const notice = (some: string[]): Notice => ({
    kind: 'complained',
    recipients: some,
    reply: { text: reply.text, said: { class: 'permanent', code: null, enhanced: null } },
  });
  return {
    envelopeIds: fields.get('original-envelope-id')?.slice() ?? [],
    returnPaths: (fields.get('original-mail-from') ?? []).map(bare),
    notices: !complaints.has(type)
      ? []
      : listed.length > 0
        ? recipients.map((one) => notice([one]))
        : [notice(recipients)],
  };
}
