/** What SMTP cannot tell: all deliveries in doubt, and the answers that people give. */

import { AppError } from '../../core/error.ts';
import { isUuid } from '../../core/token.ts';
import { type DoubtAnswer, doubtAnswers, type HeldDelivery, listHeld, listHeldOf } from '../../store/mail/doubt.ts';
import { findEmailSummary } from '../../store/mail/emails.ts';
import { listEvents } from '../../store/mail/events.ts';
import { askFirst, isConfirmed } from '../frame/confirm.tsx';
import { renderPage } from '../frame/frame.tsx';
import { Empty, Notice, PageHead } from '../frame/pieces.tsx';
import { redirect } from '../frame/sign-in.tsx';
import type { Visit } from '../frame/visit.ts';
import { Evidence, type From, Held, idOf } from './held.tsx';
import { parseUndo, SendsAgain, takeBack, undoQuery, undoWaitMs } from './undo.tsx';

const pageSize = 20;

export async function inDoubt(visit: Visit): Promise<Response> {
  const { parts, session, query } = visit;
  const held = await listHeld(parts.database, session.account, parseId(query.after ?? ''), pageSize + 1);
  const shown = held.slice(0, pageSize);
  const last = shown.at(-1);
  return renderPage(visit, {
    title: 'In doubt',
    at: '/in-doubt',
    isLive: true,
    content: (
      <>
        <PageHead title="In doubt">
          {shown.length > 0 && (
            <p class="muted">
              We can’t tell whether the relay accepted these messages, so we stopped. Search your relay’s log for the
              Message-ID, then choose an answer.
            </p>
          )}
        </PageHead>
        <Answered visit={visit} />
        {shown.map((one) => (
          <Held visit={visit} held={one} from="list" />
        ))}
        {shown.length === 0 && <Nothing visit={visit} />}
        {held.length > pageSize && last && (
          <nav class="row spread" aria-label="Pages">
            <span />
            <a class="button" href={`/dashboard/in-doubt?after=${idOf(last)}`}>
              More
            </a>
          </nav>
        )}
      </>
    ),
  });
}

/** What an answer came to, in the words of the page it leads back to. */
export const answered: Record<DoubtAnswer | 'undone', string> = {
  sent: 'Marked as sent.',
  'send-again': 'Sending again: the same message with the same Message-ID.',
  abandon: 'Marked as failed.',
  undone: 'Undone: nothing was sent again. It is in doubt, as it was.',
};

async function Answered({ visit }: { visit: Visit }) {
  const { parts, session, query } = visit;
  const answer = ([...doubtAnswers, 'undone'] as const).find((one) => one === query.done);
  if (!answer) return null;
  const undo = answer === 'send-again' ? parseUndo(query.undo) : null;
  const id = query.email ?? '';
  const email = isUuid(id) ? await findEmailSummary(parts.database, session.account, id) : null;
  return (
    <Notice tone="good">
      {email && (
        <>
          <a href={`/dashboard/emails/${email.id}`}>{email.subject || '(no subject)'}</a> to {email.to.join(', ')}:{' '}
        </>
      )}
      {email && undo ? <SendsAgain visit={visit} emailId={email.id} undo={undo} from="list" /> : answered[answer]}
    </Notice>
  );
}

function Nothing({ visit }: { visit: Visit }) {
  const holds = visit.parts.facts.inDoubtPolicy === 'hold';
  return (
    <Empty title="Nothing in doubt">
      <p>
        An email gets here when the relay may have accepted it but its reply was lost: the connection dropped, or the
        server stopped at that moment. Sendonce does not guess; it stops and shows it here.
      </p>
      <p>
        {holds ? (
          <>
            Such emails wait until you choose. For mail where a duplicate is better than a loss, such as a password
            reset, add the tag <code>sendonce-in-doubt: send-again</code>.
          </>
        ) : (
          'This server sends such emails again after ten minutes, marked as possible duplicates.'
        )}
      </p>
    </Empty>
  );
}

function parseId(text: string): { emailId: string; part: number } | null {
  const [, emailId = '', part = ''] = /^([^.]+)\.(\d{1,9})$/.exec(text.toLowerCase()) ?? [];
  return isUuid(emailId) ? { emailId, part: Number(part) } : null;
}

export async function answerInDoubt(visit: Visit): Promise<Response> {
  const { parts, session, form, context } = visit;
  const named = parseId(context.req.param('id') ?? '');
  const answer = doubtAnswers.find((one) => one === form.get('answer'));
  if (!answer) throw new AppError('invalid_field', 'Choose one of the three answers.');
  if (!named) throw notInDoubt();
  const from: From = form.get('from') === 'email' ? 'email' : 'list';
  if (answer === 'send-again' && !isConfirmed(visit)) {
    const [held] = await listHeldOf(parts.database, session.account, named);
    if (held) return askToSendAgain(visit, held, from);
  }
  const settled = await parts.use.settleDoubt.answer({ ...named, account: session.account }, answer, undoWaitMs);
  if (!settled.isSettled) throw settled.state === null ? notInDoubt() : await tooLate(visit, named.emailId);
  const path = from === 'email' ? `emails/${named.emailId}?done=` : `in-doubt?email=${named.emailId}&done=`;
  const undo = answer === 'send-again' ? `&undo=${undoQuery(named.part, settled.attempt)}` : '';
  return redirect(`/dashboard/${path}${answer}${undo}`);
}

export async function undoAnswer(visit: Visit): Promise<Response> {
  const named = parseId(visit.context.req.param('id') ?? '');
  if (!named) throw notInDoubt();
  const from: From = visit.form.get('from') === 'email' ? 'email' : 'list';
  return takeBack(visit, { ...named, account: visit.session.account }, from);
}

function notInDoubt(): AppError {
  return new AppError('not_found', 'Nothing with this ID is in doubt.');
}

function askToSendAgain(visit: Visit, held: HeldDelivery, from: From): Promise<Response> {
  return askFirst(visit, {
    title: `Send “${held.subject || '(no subject)'}” again?`,
    at: '/in-doubt',
    content: (
      <>
        <p>
          If the relay has it already, <b>{held.recipients.join(', ')}</b> may get it twice. It leaves after{' '}
          {undoWaitMs / 1_000} seconds; until then you can undo this.
        </p>
        <Evidence of={held} />
      </>
    ),
    yes: 'Send it again',
    action: `/dashboard/in-doubt/${idOf(held)}`,
    fields: { answer: 'send-again', from },
    back: from === 'email' ? `/dashboard/emails/${held.emailId}` : '/dashboard/in-doubt',
  });
}

const deciders = {
  operator: 'Somebody else',
  policy: 'The policy of this server',
  notice: 'A notice that came back',
};

/** Two people see the same doubt: whoever is second is told who was first. */
async function tooLate({ parts, session }: Visit, emailId: string): Promise<AppError> {
  const events = await listEvents(parts.database, session.account, emailId);
  const last = events.findLast(({ detail }) => !detail.in_doubt);
  const who = last?.detail.by ? deciders[last.detail.by] : 'The relay';
  const at = last ? ` at ${new Date(last.at).toISOString().slice(0, 19).replace('T', ' ')} UTC` : '';
  const what = last ? `: ${last.type.replaceAll('_', ' ')}. ${last.detail.reply ?? ''}` : '.';
  return new AppError('invalid_field', `${who} was first${at}${what}`.trim());
}
