/** One email: what it is, its history, and what can still be done about it. */

import { randomUUID } from 'node:crypto';
import { AppError } from '../../core/error.ts';
import type { EventType } from '../../core/event.ts';
import { keyTerms } from '../../http/resend/endpoints.ts';
import { listHeldOf } from '../../store/mail/doubt.ts';
import type { StoredEmail } from '../../store/mail/emails.ts';
import { type Event, listEvents } from '../../store/mail/events.ts';
import { type DeliveryStatus, findFacade, listDeliveries } from '../../store/mail/history.ts';
import { askFirst, isConfirmed } from '../frame/confirm.tsx';
import { renderPage } from '../frame/frame.tsx';
import { Copyable, Form, Notice, PageHead, State, stateOf, Time, type Tone } from '../frame/pieces.tsx';
import { sendNow } from '../frame/send.ts';
import { redirect } from '../frame/sign-in.tsx';
import type { Visit } from '../frame/visit.ts';
import { Held } from './held.tsx';
import { answered } from './in-doubt.tsx';
import { MailView, requireEmail } from './mail-view.tsx';
import { Timeline } from './timeline.tsx';
import { parseUndo, SendsAgain, UndoNew, undoWaitMs } from './undo.tsx';

export async function email(visit: Visit): Promise<Response> {
  const { parts, session } = visit;
  const found = await requireEmail(visit);
  const events = await listEvents(parts.database, session.account, found.id);
  const deliveries = await listDeliveries(parts.database, session.account, found.id);
  const held = found.inDoubt ? await listHeldOf(parts.database, session.account, { emailId: found.id }) : [];
  const facade = await findFacade(parts.database, session.account, found.id);
  const ours = facade === 'alerts' ? 'an alert of this server' : 'this page';
  const through = parts.facades.find((one) => one.name === facade)?.through ?? ours;
  return renderPage(visit, {
    title: found.subject || 'Email',
    at: '/emails',
    isLive: true,
    content: (
      <>
        <PageHead title={found.subject || '(no subject)'}>
          <State is={stateOf(found)} />
        </PageHead>
        <Done visit={visit} email={found} waits={waitsIn(deliveries)} />
        {held.map((one) => (
          <Held visit={visit} held={one} from="email" />
        ))}
        <Why events={events} />
        {/* The history comes first where there is room for one column only. */}
        <div class="columns turned">
          <div class="stack aside">
            <section class="panel">
              <h2>History</h2>
              <Timeline email={found} through={through} events={events} deliveries={deliveries} />
            </section>
            <Facts email={found} />
          </div>
          <div class="stack two-thirds">
            <MailView visit={visit} email={found} base={`/dashboard/emails/${found.id}`} />
            <Actions visit={visit} email={found} deliveries={deliveries} />
          </div>
        </div>
      </>
    ),
  });
}

const done: Record<string, string> = {
  canceled: 'Canceled. It will not be sent.',
  rescheduled: 'Rescheduled.',
  new: 'This is the new email: the same content with a new ID.',
  ...answered,
};

function Done({ visit, email, waits }: { visit: Visit; email: StoredEmail; waits: boolean }) {
  const { done: what = '', undo: named } = visit.query;
  const undo = what === 'send-again' ? parseUndo(named) : null;
  const text = undo ? <SendsAgain visit={visit} emailId={email.id} undo={undo} from="email" /> : done[what];
  if (!text) return null;
  return (
    <Notice tone="good">
      {text}
      {what === 'new' && waits && <UndoNew visit={visit} email={email} />}
    </Notice>
  );
}

const troubles: Partial<Record<EventType, [tone: Tone, title: string]>> = {
  bounced: ['bad', 'Bounced'],
  failed: ['bad', 'Failed'],
  complained: ['bad', 'Marked as spam'],
  delivery_delayed: ['warning', 'Delayed'],
};

/** Why it is not where it should be, in the words of whoever refused it last. */
function Why({ events }: { events: Event[] }) {
  const last = events.at(-1);
  const [tone, title] = (last && troubles[last.type]) ?? [];
  if (!last || !tone || last.detail.in_doubt) return null;
  const replies = last.detail.replies ?? (last.detail.reply ? [last.detail.reply] : []);
  return (
    <Notice tone={tone}>
      <b>{title}</b> <span class="muted">{last.detail.recipients?.join(', ')}</span>
      {replies.map((reply) => (
        <pre class="wrap">{reply}</pre>
      ))}
    </Notice>
  );
}

function Facts({ email }: { email: StoredEmail }) {
  const people: [name: string, list: string[]][] = [
    ['To', email.to],
    ['Cc', email.cc],
    ['Bcc', email.bcc],
    ['Reply-To', email.replyTo],
  ];
  return (
    <section class="panel">
      <h2>Details</h2>
      <dl class="facts">
        <dt>From</dt>
        <dd>{email.from}</dd>
        {people
          .filter(([, list]) => list.length > 0)
          .map(([name, list]) => (
            <>
              <dt>{name}</dt>
              <dd>{list.join(', ')}</dd>
            </>
          ))}
        {email.scheduledAt !== null && (
          <>
            <dt>Scheduled</dt>
            <dd>
              <Time at={email.scheduledAt} />
            </dd>
          </>
        )}
        {email.tags.length > 0 && (
          <>
            <dt>Tags</dt>
            <dd class="row">
              {email.tags.map((tag) => (
                <a href={`/dashboard/emails?q=${encodeURIComponent(`tag:${tag.name}=${tag.value}`)}`}>
                  {tag.name}={tag.value}
                </a>
              ))}
            </dd>
          </>
        )}
        <dt>ID</dt>
        <dd>
          <Copyable text={email.id} label="the ID" />
        </dd>
        <dt>Message-ID</dt>
        <dd>
          <Copyable text={email.messageId} label="the Message-ID" />
        </dd>
        {email.request !== undefined && (
          <>
            <dt>Request</dt>
            <dd>
              <Copyable text={email.request} label="the request ID" />
            </dd>
          </>
        )}
        {email.traceparent !== undefined && (
          <>
            <dt>Trace</dt>
            <dd>
              <code>{email.traceparent}</code>
            </dd>
          </>
        )}
      </dl>
    </section>
  );
}

function waitsIn(deliveries: DeliveryStatus[]): boolean {
  return deliveries.some((one) => one.state === 'queued' && !one.possibleDuplicate);
}

function Actions({ visit, email, deliveries }: { visit: Visit; email: StoredEmail; deliveries: DeliveryStatus[] }) {
  const waits = waitsIn(deliveries);
  const isMovable = deliveries.every((one) => one.state === 'queued' && one.tries === 0 && one.gatedAt === null);
  // Of what is in doubt a new email would be a copy that nobody can tell from the first.
  const isSendable = !email.purged && !email.inDoubt;
  if (!waits && !isSendable) return null;
  return (
    <section class="panel" data-keep="actions">
      <h2>Actions</h2>
      {isMovable && (
        <Form visit={visit} action={`/dashboard/emails/${email.id}/reschedule`} class="row">
          <div>
            <label for="at">Send at</label>
            <input id="at" name="at" type="datetime-local" required />
          </div>
          <input type="hidden" name="zone" value="0" />
          <button type="submit" class="button">
            Reschedule
          </button>
        </Form>
      )}
      <div class="row">
        {waits && (
          <Form visit={visit} action={`/dashboard/emails/${email.id}/cancel`}>
            <button type="submit" class="button tone-bad" data-confirm="Cancel this email? It will not be sent.">
              Cancel email
            </button>
          </Form>
        )}
        {isSendable && (
          <Form visit={visit} action={`/dashboard/emails/${email.id}/send`}>
            <input type="hidden" name="key" value={randomUUID()} />
            <button type="submit" class="button">
              Send as new
            </button>
          </Form>
        )}
      </div>
      <p class="muted small">
        You can cancel until the message is handed to the relay. <b>Send as new</b> creates a second email on purpose:
        its recipients get it again.
      </p>
    </section>
  );
}

export async function cancel(visit: Visit): Promise<Response> {
  const { id } = await requireEmail(visit);
  await visit.parts.use.amend.cancel(visit.session.account, id);
  return redirect(`/dashboard/emails/${id}?done=canceled`);
}

/** As the API has it. */
const scheduleAheadMs = 30 * 24 * 60 * 60_000;

export async function reschedule(visit: Visit): Promise<Response> {
  const { id } = await requireEmail(visit);
  const { clock, use } = visit.parts;
  const at = parseLocalTime(visit.form.get('at') ?? '', visit.form.get('zone') ?? '0');
  if (at === null) throw new AppError('invalid_field', 'Choose a date and a time.');
  if (at < clock.now()) throw new AppError('invalid_field', 'Choose a time in the future.');
  if (at > clock.now() + scheduleAheadMs) throw new AppError('invalid_field', 'Choose a time within the next 30 days.');
  const text = new Date(at).toISOString();
  await use.amend.reschedule(visit.session.account, id, { at, text, keyTerms });
  return redirect(`/dashboard/emails/${id}?done=rescheduled`);
}

/** What a browser's field says, and the viewer's minutes west of UTC: without the script the field is UTC. */
function parseLocalTime(text: string, zone: string): number | null {
  const at = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d)?$/.test(text) ? Date.parse(`${text}Z`) : Number.NaN;
  const minutes = Number(zone);
  if (Number.isNaN(at) || !Number.isInteger(minutes) || Math.abs(minutes) > 24 * 60) return null;
  return at + minutes * 60_000;
}

export async function sendAsNew(visit: Visit): Promise<Response> {
  const found = await requireEmail(visit);
  if (found.purged) throw new AppError('not_found', 'The contents of this email have been deleted.');
  if (found.inDoubt)
    throw new AppError('invalid_field', 'This email is in doubt: choose one of its three answers first.');
  if (!isConfirmed(visit)) return askToSendAsNew(visit, found);
  // Long enough to take it back.
  const scheduledAt = visit.parts.clock.now() + undoWaitMs;
  const scheduledText = new Date(scheduledAt).toISOString();
  const id = await sendNow(visit, { ...found, scheduledAt, scheduledText, batchId: undefined });
  return redirect(`/dashboard/emails/${id}?done=new`);
}

function askToSendAsNew(visit: Visit, { id, subject, to, cc, bcc }: StoredEmail): Promise<Response> {
  return askFirst(visit, {
    title: `Send “${subject || '(no subject)'}” as a new email?`,
    at: '/emails',
    content: (
      <p>
        <b>{[...to, ...cc, ...bcc].join(', ')}</b> will get the same content again, as a second email with an ID and a
        Message-ID of its own. It leaves after {undoWaitMs / 1_000} seconds; until then you can undo this.
      </p>
    ),
    yes: 'Send as new',
    action: `/dashboard/emails/${id}/send`,
    fields: { key: visit.form.get('key') ?? '' },
    back: `/dashboard/emails/${id}`,
  });
}
