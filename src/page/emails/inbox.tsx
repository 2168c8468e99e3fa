/** Captured mail as its recipients would see it, with what would hurt it on its way. */

import { isUuid, uuidv7Floor } from '../../core/token.ts';
import { findEmailSummary, type StoredEmail } from '../../store/mail/emails.ts';
import { findCleared, listInbox } from '../../store/page/inbox.ts';
import { renderPage } from '../frame/frame.tsx';
import { Empty, Form, Notice, PageHead, Recipients, Time } from '../frame/pieces.tsx';
import { redirect } from '../frame/sign-in.tsx';
import type { Visit } from '../frame/visit.ts';
import { hintsAt } from './hints.ts';
import { MailView, requireEmail, shownName } from './mail-view.tsx';

const pageSize = 50;
const dayMs = 24 * 60 * 60_000;

export async function inbox(visit: Visit): Promise<Response> {
  const { parts, session, query } = visit;
  const after = isUuid(query.after ?? '') ? (query.after ?? null) : null;
  const oldest = await oldestShown(visit);
  const ids = await listInbox(parts.database, session.account, { after, oldest, limit: pageSize + 1 });
  const found = await Promise.all(
    ids.slice(0, pageSize).map((id) => findEmailSummary(parts.database, session.account, id)),
  );
  const mails = found.filter((one) => one !== null);
  return renderPage(visit, {
    title: 'Inbox',
    at: '/inbox',
    isLive: after === null,
    content: (
      <>
        <PageHead title="Inbox">
          {mails.length > 0 && (
            <Form visit={visit} action="/dashboard/inbox/clear">
              <button
                type="submit"
                class="button tone-bad"
                data-confirm="Delete the contents of all captured emails? Idempotency keys and delivery logs are kept."
              >
                Clear all
              </button>
            </Form>
          )}
        </PageHead>
        {query.done === 'cleared' && (
          <Notice tone="good">
            Cleared. Message contents are deleted; idempotency keys, IDs and delivery logs are kept.
          </Notice>
        )}
        {mails.length > 0 && (
          <section class="panel flush" aria-label="Captured emails">
            <ol class="rows">
              {mails.map((mail) => (
                <li>
                  <a href={`/dashboard/inbox/${mail.id}`} data-row>
                    <span>
                      to <Recipients of={[...mail.to, ...mail.cc, ...mail.bcc]} />
                    </span>
                    <span>{shownName(mail.from)}</span>
                    <b>{mail.subject || '(no subject)'}</b>
                    <span class="muted small">
                      <Time at={mail.createdAt} style="short" />
                    </span>
                  </a>
                </li>
              ))}
            </ol>
          </section>
        )}
        {mails.length === 0 && <NoMail />}
        {ids.length > pageSize && (
          <nav class="row spread" aria-label="Pages">
            <span />
            <a class="button" href={`/dashboard/inbox?after=${ids[pageSize - 1]}`}>
              Older
            </a>
          </nav>
        )}
      </>
    ),
  });
}

/** Below it every mail has lost its contents: what was cleared, and what is older than contents are kept. */
async function oldestShown({ parts, session }: Visit): Promise<string> {
  const cleared = await findCleared(parts.database, session.account);
  if (parts.facts.retentionDays === null) return cleared;
  const kept = uuidv7Floor(parts.clock.now() - (parts.facts.retentionDays + 1) * dayMs);
  return [kept, cleared].sort().at(-1) ?? cleared;
}

function NoMail() {
  return (
    <Empty title="No mail">
      <p>Every email sent through this server is captured here instead of being sent. Send one and watch it arrive.</p>
      <p>
        <a class="button primary" href="/dashboard/setup">
          Send a test email
        </a>
      </p>
    </Empty>
  );
}

export async function inboxMail(visit: Visit): Promise<Response> {
  const mail = await requireEmail(visit);
  return renderPage(visit, {
    title: mail.subject || 'Mail',
    at: '/inbox',
    content: (
      <>
        <PageHead title={mail.subject || '(no subject)'}>
          <a class="button" href={`/dashboard/emails/${mail.id}`}>
            View delivery log
          </a>
        </PageHead>
        <dl class="facts">
          <dt>From</dt>
          <dd>{mail.from}</dd>
          <People of={mail} />
          <dt>Date</dt>
          <dd>
            <Time at={Math.max(mail.createdAt, mail.scheduledAt ?? 0)} />
          </dd>
        </dl>
        <div class="columns">
          <div class="two-thirds">
            <MailView visit={visit} email={mail} base={`/dashboard/inbox/${mail.id}`} />
          </div>
          {!mail.purged && <Hints mail={mail} />}
        </div>
      </>
    ),
  });
}

function People({ of: { to, cc, bcc } }: { of: Pick<StoredEmail, 'to' | 'cc' | 'bcc'> }) {
  return (
    <>
      {Object.entries({ To: to, Cc: cc, Bcc: bcc })
        .filter(([, list]) => list.length > 0)
        .map(([name, list]) => (
          <>
            <dt>{name}</dt>
            <dd>{list.join(', ')}</dd>
          </>
        ))}
    </>
  );
}

function Hints({ mail }: { mail: StoredEmail }) {
  const hints = hintsAt(mail);
  return (
    <section class="panel">
      <h2>{hints.length === 0 ? 'No problems found' : 'Checks'}</h2>
      {hints.length === 0 ? (
        <p class="muted">It has a text part, complete links, and nothing too large.</p>
      ) : (
        <ul class="stack">
          {hints.map((hint) => (
            <li class={`notice tone-${hint.kind}`}>
              <b>{hint.title}</b>
              <p>{hint.detail}</p>
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}

export async function clearAll({ parts, session }: Visit): Promise<Response> {
  await parts.use.purge.inbox(session.account);
  return redirect('/dashboard/inbox?done=cleared');
}
