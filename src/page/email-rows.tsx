/** Emails as rows: one link each, moved through by j and k. */

import type { EmailSummary } from '../store/mail/emails.ts';
import { Recipients, State, stateOf, Time } from './pieces.tsx';

export function EmailRows({ emails, base = '/dashboard/emails' }: { emails: EmailSummary[]; base?: string }) {
  return (
    <ol class="rows">
      <li class="heads" aria-hidden="true">
        <span>Recipient</span>
        <span>Status</span>
        <span>Subject</span>
        <span>Accepted</span>
      </li>
      {emails.map((email) => (
        <li>
          <a href={`${base}/${email.id}`} data-row>
            <span>
              <Recipients of={[...email.to, ...email.cc, ...email.bcc]} />
            </span>
            <State is={stateOf(email)} />
            <span class="muted">{email.subject || '(no subject)'}</span>
            <span class="muted small">
              <Time at={email.createdAt} style="short" />
            </span>
          </a>
        </li>
      ))}
    </ol>
  );
}
