/** Where submissions over SMTP are taken, how long their keys live, and what one is told from another by. */

import { createHash } from 'node:crypto';
import { envelopeAddress } from '../../core/address.ts';
import type { EmailToCompare } from '../../store/mail/email-to-compare.ts';
import type { Endpoint } from '../../use-cases/submission.ts';

export const facadeName = 'smtp';

/** What is compared of a submission: who it is from and for in its envelope, and its content whoever wrote it out. */
export type Asked = { from: string; to: string[]; subject: string; content: string };

/** As long as Resend's: 24 hours, from the scheduled time where there is one, or KEY_LIFETIME. */
export const endpoint: Endpoint = {
  facade: facadeName,
  name: 'DATA /smtp',
  keyTerms: { lifetimeMs: 24 * 60 * 60_000, followsSchedule: true, mayLiveLonger: true },
  differences: ([stored], { json }) => (stored ? differencesOf(stored, json as Asked) : []),
};

function differencesOf(stored: EmailToCompare, asked: Asked): string[] {
  const to = [...stored.to, ...stored.cc, ...stored.bcc].map(envelopeAddress);
  const found = [
    (stored.returnPath ?? envelopeAddress(stored.from)) === asked.from ? [] : ['sender'],
    digestOf(to) === digestOf(asked.to) ? [] : ['recipients'],
    stored.subject === asked.subject ? [] : ['subject'],
  ].flat();
  return found.length > 0 ? found : ['content'];
}

function digestOf(addresses: readonly string[]): string {
  return createHash('sha256')
    .update([...new Set(addresses)].sort().join('\n'))
    .digest('hex');
}
