/** Emails as rows: one link each, moved through by j and k. */

import type { EmailSummary } from '../../store/emails.ts';
import { Recipients, State, Time } from './pieces.tsx';

export function EmailRows({ emails, base = '/dashboard/emails' }: { emails: EmailSummary[]; base?: string }) {
  return (
    <ol class="rows">
      {emails.map((email) => (
        <li>
          <a class="row-link" href={`${base}/${email.id}`} data-row>
            <span class="row-state">
              <State is={email.inDoubt ? 'in_doubt' : email.lastEvent} />
            </span>
            <span class="row-to">
              <Recipients of={[...email.to, ...email.cc, ...email.bcc]} />
            </span>
            <span class="row-subject">{email.subject || '(no subject)'}</span>
            <span class="row-time">
              <Time at={email.createdAt} style="short" />
            </span>
          </a>
        </li>
      ))}
    </ol>
  );
}
