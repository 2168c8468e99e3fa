/** Emails as rows: one link each, moved through by j and k; another account's lead nowhere, and have an id instead of people. */

import type { EmailSummary } from '../../store/mail/emails.ts';
import { Recipients, State, stateOf, Time } from '../frame/pieces.tsx';

type Options = { emails: EmailSummary[]; base?: string | null };

export function EmailRows({ emails, base = '/dashboard/emails' }: Options) {
  return (
    <ol class="rows">
      <li class="heads" aria-hidden="true">
        <span>{base === null ? 'ID' : 'Recipient'}</span>
        <span>Status</span>
        <span>{base === null ? '' : 'Subject'}</span>
        <span>Accepted</span>
      </li>
      {emails.map((email) => (
        <li>
          {base === null ? (
            <div class="line">
              <code>{email.id}</code>
              <State is={stateOf(email)} />
              <span />
              <span class="muted small">
                <Time at={email.createdAt} style="short" />
              </span>
            </div>
          ) : (
            <a href={`${base}/${email.id}`} data-row>
              <Cells email={email} />
            </a>
          )}
        </li>
      ))}
    </ol>
  );
}

function Cells({ email }: { email: EmailSummary }) {
  return (
    <>
      <span>
        <Recipients of={[...email.to, ...email.cc, ...email.bcc]} />
      </span>
      <State is={stateOf(email)} />
      <span class="muted">{email.subject || '(no subject)'}</span>
      <span class="muted small">
        <Time at={email.createdAt} style="short" />
      </span>
    </>
  );
}
