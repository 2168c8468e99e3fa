/** Broadcasts: how far each has come, how it looks, and calling one off. */

import type { Broadcast } from '../../core/broadcast.ts';
import { AppError } from '../../core/error.ts';
import { isUuid } from '../../core/token.ts';
import { type BroadcastProgress, findBroadcast, listBroadcasts, measureBroadcast } from '../../store/broadcasts.ts';
import { findSegment } from '../../store/contacts/segments.ts';
import { framed } from '../emails/mail-view.tsx';
import { askFirst, isConfirmed } from '../frame/confirm.tsx';
import { renderManaged } from '../frame/manage.tsx';
import { Count, Counted, Empty, Form, Notice, State, Time } from '../frame/pieces.tsx';
import { redirect } from '../frame/sign-in.tsx';
import type { Visit } from '../frame/visit.ts';

const pageSize = 50;

export async function broadcasts(visit: Visit): Promise<Response> {
  const { parts, session, query } = visit;
  const after = isUuid(query.after ?? '') ? (query.after ?? null) : null;
  const page = { limit: pageSize, after, before: null };
  const { broadcasts: listed, hasMore } = await listBroadcasts(parts.database, session.account, page);
  return renderManaged(visit, {
    title: 'Broadcasts',
    path: '/broadcasts',
    lead: 'One email to everybody in a segment, once to each address. Made through POST /broadcasts.',
    content: (
      <>
        {query.done === 'deleted' && <Notice tone="good">Deleted. Emails that it became are kept.</Notice>}
        {listed.length > 0 && (
          <section class="panel flush" aria-label="Broadcasts">
            <ol class="rows">
              <li class="heads" aria-hidden="true">
                <span>Name</span>
                <span>Status</span>
                <span>Subject</span>
                <span>Created</span>
              </li>
              {listed.map(({ id, content, status, createdAt }) => (
                <li>
                  <a href={`/dashboard/broadcasts/${id}`} data-row>
                    <span>{content.name || '(no name)'}</span>
                    <State is={status === 'queued' ? 'sending' : status} />
                    <span class="muted">{content.subject ?? '(no subject)'}</span>
                    <span class="muted small">
                      <Time at={createdAt} style="short" />
                    </span>
                  </a>
                </li>
              ))}
            </ol>
          </section>
        )}
        {listed.length === 0 && (
          <Empty title="No broadcasts yet">
            <p>
              Put <a href="/dashboard/contacts">contacts</a> into a segment, then create a broadcast with{' '}
              <code>resend.broadcasts.create</code> or <code>POST /broadcasts</code>. Its progress is shown here.
            </p>
          </Empty>
        )}
        {hasMore && (
          <a class="button" href={`/dashboard/broadcasts?after=${listed.at(-1)?.id}`}>
            Older
          </a>
        )}
      </>
    ),
  });
}

async function requireBroadcast({ parts, session, context }: Visit): Promise<Broadcast> {
  const id = (context.req.param('id') ?? '').toLowerCase();
  const found = isUuid(id) ? await findBroadcast(parts.database, session.account, id) : null;
  if (!found) throw new AppError('not_found', 'No broadcast with this ID.');
  return found;
}

const done: Record<string, string> = {
  canceled: 'Canceled. Nobody else gets it. What had become an email already is sent: cancel it among the emails.',
  draft: 'Called off: it is a draft again, and nobody got it.',
};

export async function broadcast(visit: Visit): Promise<Response> {
  const { parts, session, query } = visit;
  const found = await requireBroadcast(visit);
  const { segment: id } = found.content;
  const segment = id === null ? null : await findSegment(parts.database, session.account, { id });
  const progress = await measureBroadcast(parts.database, found);
  const said = done[query.done ?? ''];
  return renderManaged(visit, {
    title: found.content.name || found.content.subject || 'Broadcast',
    path: '/broadcasts',
    isLive: found.status === 'queued',
    lead: <State is={found.status === 'queued' ? 'sending' : found.status} />,
    content: (
      <>
        {said && <Notice tone="good">{said}</Notice>}
        {found.trouble !== null && <Notice tone="bad">It does not go on: {found.trouble}</Notice>}
        <div class="columns turned">
          <div class="stack aside">
            <Facts broadcast={found} segment={segment?.name ?? null} progress={progress} />
            <Actions visit={visit} broadcast={found} />
          </div>
          <div class="stack two-thirds">
            <Preview broadcast={found} />
          </div>
        </div>
      </>
    ),
  });
}

type FactsOptions = { broadcast: Broadcast; segment: string | null; progress: BroadcastProgress };

function Facts({ broadcast, segment, progress: { sent, turns, contacts } }: FactsOptions) {
  const { from } = broadcast.content;
  return (
    <section class="panel">
      {broadcast.status !== 'draft' && (
        <>
          <p class="figure">
            <Count of={sent} />
          </p>
          <p class="muted">
            {sent === 1 ? 'email' : 'emails'} so far · <Count of={turns} /> of <Counted of={contacts} one="contact" />{' '}
            processed
          </p>
          <progress max={Math.max(1, contacts)} value={turns} aria-label="Contacts processed" />
        </>
      )}
      <dl class="facts">
        <dt>Segment</dt>
        <dd>{segment ?? 'none'}</dd>
        <dt>From</dt>
        <dd>{from ?? 'not set'}</dd>
        <dt>Created</dt>
        <dd>
          <Time at={broadcast.createdAt} />
        </dd>
        {broadcast.scheduledAt !== null && (
          <>
            <dt>Scheduled for</dt>
            <dd>
              <Time at={broadcast.scheduledAt} />
            </dd>
          </>
        )}
        {broadcast.sentAt !== null && (
          <>
            <dt>Finished</dt>
            <dd>
              <Time at={broadcast.sentAt} />
            </dd>
          </>
        )}
      </dl>
    </section>
  );
}

function Actions({ visit, broadcast: { id, status } }: { visit: Visit; broadcast: Broadcast }) {
  const canCancel = status === 'scheduled' || status === 'queued';
  return (
    <Form visit={visit} action={`/dashboard/broadcasts/${id}/${canCancel ? 'cancel' : 'delete'}`}>
      <button type="submit" class="button tone-bad">
        {canCancel ? 'Cancel broadcast' : 'Delete'}
      </button>
    </Form>
  );
}

/** As it was written: what is filled in differs by recipient. */
function Preview({ broadcast: { id, content } }: { broadcast: Broadcast }) {
  return (
    <section class="panel flush" aria-label="Content">
      <div class="row spread">
        <h2>{content.subject ?? '(no subject)'}</h2>
      </div>
      {content.html !== null ? (
        <iframe
          title="The broadcast as it was written"
          sandbox="allow-popups allow-popups-to-escape-sandbox"
          loading="lazy"
          data-keep="broadcast-html"
          src={`/dashboard/broadcasts/${id}/html`}
        />
      ) : (
        <pre class="wrap" tabindex={0}>
          {content.text ?? 'Nothing is written yet.'}
        </pre>
      )}
    </section>
  );
}

export async function broadcastHtml(visit: Visit): Promise<Response> {
  const { content } = await requireBroadcast(visit);
  if (content.html === null) throw new AppError('not_found', 'This broadcast has no HTML part.');
  return framed(content.html, false);
}

export async function cancelBroadcast(visit: Visit): Promise<Response> {
  const { id, status } = await requireBroadcast(visit);
  if (!isConfirmed(visit)) {
    return askFirst(visit, {
      title: 'Cancel this broadcast?',
      at: '/suppressions',
      content: (
        <p>
          {status === 'scheduled'
            ? 'It becomes a draft again, and nobody gets it.'
            : 'Nobody else gets it. What has become an email already is sent.'}
        </p>
      ),
      yes: 'Cancel broadcast',
      action: `/dashboard/broadcasts/${id}/cancel`,
      fields: {},
      back: `/dashboard/broadcasts/${id}`,
    });
  }
  if (!(await visit.parts.use.broadcasts.cancel(visit.session.account, id))) {
    throw new AppError('not_now', 'It is too late: the broadcast has finished.');
  }
  return redirect(`/dashboard/broadcasts/${id}?done=${status === 'scheduled' ? 'draft' : 'canceled'}`);
}

export async function removeBroadcast(visit: Visit): Promise<Response> {
  const { id } = await requireBroadcast(visit);
  if (!isConfirmed(visit)) {
    return askFirst(visit, {
      title: 'Delete this broadcast?',
      at: '/suppressions',
      content: <p>Its text and its progress are deleted. Emails that it became are kept.</p>,
      yes: 'Delete broadcast',
      action: `/dashboard/broadcasts/${id}/delete`,
      fields: {},
      back: `/dashboard/broadcasts/${id}`,
    });
  }
  if (!(await visit.parts.use.broadcasts.remove(visit.session.account, id))) {
    throw new AppError('not_now', 'The broadcast is going out. Cancel it first.');
  }
  return redirect('/dashboard/broadcasts?done=deleted');
}
