/** What a relay's last word says about a bounce, in the words of Resend's webhooks (docs/resend.md). */

import { isMailboxGone } from './suppression.ts';

export type Bounce = {
  /** Permanent: 5yz. Transient: 4yz until it was given up. Undetermined: nobody said anything. */
  type: 'Permanent' | 'Transient' | 'Undetermined';
  subType: 'Undetermined' | 'General' | 'NoEmail' | 'MailboxFull' | 'MessageTooLarge' | 'ContentRejected';
};

export function describeBounce(reply: string): Bounce {
  // What bounced@resend.dev simulates is a 550 5.1.1.
  if (reply === 'simulated: bounced') return { type: 'Permanent', subType: 'NoEmail' };
  const [, severity, code = ''] = /^([45])\d\d(?:[ -][45]\.(\d{1,3}\.\d{1,3}))?/.exec(reply) ?? [];
  if (severity === undefined) return { type: 'Undetermined', subType: 'Undetermined' };
  return { type: severity === '5' ? 'Permanent' : 'Transient', subType: subTypeOf(reply, code) };
}

/** RFC 3463 2: the second and third number say what it is about, whoever refuses. */
function subTypeOf(reply: string, code: string): Bounce['subType'] {
  if (isMailboxGone(reply)) return 'NoEmail';
  if (code === '2.2') return 'MailboxFull';
  if (code === '2.3' || code === '3.4') return 'MessageTooLarge';
  if (code.startsWith('6.')) return 'ContentRejected';
  return 'General';
}
