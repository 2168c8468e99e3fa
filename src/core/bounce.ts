/** What a relay's last word says about a bounce, in the words of Resend's webhooks (docs/resend.md). */

import type { Said } from './reply.ts';
import { isMailboxGone } from './suppression.ts';

export type Bounce = {
  /** Permanent: 5yz. Transient: 4yz until it was given up. Undetermined: no relay said anything. */
  type: 'Permanent' | 'Transient' | 'Undetermined';
  subType: 'Undetermined' | 'General' | 'NoEmail' | 'MailboxFull' | 'MessageTooLarge' | 'ContentRejected';
};

export function describeBounce(said: Said | null): Bounce {
  if (said === null || said.code === null) return { type: 'Undetermined', subType: 'Undetermined' };
  return { type: said.class === 'permanent' ? 'Permanent' : 'Transient', subType: subTypeOf(said) };
}

/** RFC 3463 2: the second and third number say what it is about, whoever refuses. */
function subTypeOf(said: Said): Bounce['subType'] {
  if (isMailboxGone(said)) return 'NoEmail';
  const detail = said.enhanced?.slice(2) ?? '';
  if (detail === '2.2') return 'MailboxFull';
  if (detail === '2.3' || detail === '3.4') return 'MessageTooLarge';
  if (detail.startsWith('6.')) return 'ContentRejected';
  return 'General';
}
