/** What SMTP cannot tell: each held delivery with the evidence there is, and three answers with what each one risks. */

import type { Child } from 'hono/jsx';
import { AppError } from '../core/error.ts';
import { isUuid } from '../core/token.ts';
import { never } from '../store/mail/deliveries.ts';
import { type DoubtAnswer, doubtAnswers, type HeldDelivery, listHeld } from '../store/mail/doubt.ts';
import { renderPage } from './frame.tsx';
import { Copyable, Empty, Form, Notice, PageHead, Time } from './pieces.tsx';
import { redirect } from './sign-in.tsx';
import type { Visit } from './visit.ts';

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
        <Answered what={query.done} />
        {shown.map((one) => (
          <Held visit={visit} held={one} />
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

const answered: Record<string, string> = {
  sent: 'Marked as sent.',
  'send-again': 'Sending again: the same message with the same Message-ID.',
  abandon: 'Marked as failed.',
};

function Answered({ what }: { what: string | undefined }) {
  const text = what === undefined ? undefined : answered[what];
  return text ? <Notice tone="good">{text}</Notice> : null;
}

function Held({ visit, held }: { visit: Visit; held: HeldDelivery }) {
  return (
    <article class="panel">
      <div class="row spread">
        <h2>
          <a href={`/dashboard/emails/${held.emailId}`}>{held.subject || '(no subject)'}</a>
        </h2>
        {held.gatedAt !== null && (
          <span class="muted small">
            handed to the relay <Time at={held.gatedAt} style="short" />
          </span>
        )}
      </div>
      <dl class="facts">
        <dt>To</dt>
        <dd>{held.recipients.join(', ')}</dd>
        <dt>What was sent</dt>
        <dd>
          {held.gatedAt === null ? (
            'Nothing, as far as this database knows. It is held because the database was restored from a backup.'
          ) : (
            <>
              Entire message, starting <Time at={held.gatedAt} />
            </>
          )}
        </dd>
        <dt>Last reply</dt>
        <dd>{held.reply ?? 'none'}</dd>
        {held.relay !== null && (
          <>
            <dt>Relay</dt>
            <dd>{held.relay}</dd>
          </>
        )}
        {held.repeatUntil !== null && (
          <>
            <dt>Asking again</dt>
            <dd>
              with its idempotency key until <Time at={held.repeatUntil} />: a reply settles it, and nothing is sent
              twice
            </dd>
          </>
        )}
        <dt>Message-ID</dt>
        <dd>
          <Copyable text={held.messageId} label="the Message-ID" />
        </dd>
        {held.runAt < never && (
          <>
            <dt>Policy</dt>
            <dd>
              sends it again at <Time at={held.runAt} />, unless you choose first
            </dd>
          </>
        )}
      </dl>
      <div class="columns" data-hold>
        <Answer visit={visit} held={held} answer="sent" title="The relay has it">
          Nothing more is sent. If the relay does not have it, <b>it never arrives</b>.
        </Answer>
        <Answer visit={visit} held={held} answer="send-again" title="Send it again">
          The same message with the same Message-ID goes out. If the relay has it, <b>it may arrive twice</b>.
        </Answer>
        <Answer visit={visit} held={held} answer="abandon" title="Mark as failed">
          Nothing more is sent. <b>It may still have arrived</b>: if your app sends it anew, it arrives twice.
        </Answer>
      </div>
    </article>
  );
}

type AnswerOptions = { visit: Visit; held: HeldDelivery; answer: DoubtAnswer; title: string; children?: Child };

function Answer({ visit, held, answer, title, children }: AnswerOptions) {
  return (
    <Form visit={visit} action={`/dashboard/in-doubt/${idOf(held)}`} class="panel third">
      <input type="hidden" name="answer" value={answer} />
      <p>{children}</p>
      <button type="submit" class={answer === 'abandon' ? 'button tone-bad' : 'button'}>
        {title}
      </button>
    </Form>
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
        {holds
          ? 'Such emails wait until you choose. For mail where a duplicate is better than a loss, such as a password reset, add the tag sendonce-in-doubt: send-again.'
          : 'This server sends such emails again after ten minutes, marked as possible duplicates.'}
      </p>
    </Empty>
  );
}

function idOf(held: Pick<HeldDelivery, 'emailId' | 'part'>): string {
  return `${held.emailId}.${held.part}`;
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
  const answered = named && (await parts.use.settleDoubt.answer({ ...named, account: session.account }, answer));
  if (!answered?.isSettled) {
    const now = answered?.state ? ` It is ${answered.state} now.` : '';
    throw new AppError(
      'not_found',
      `It is no longer in doubt: the relay answered after all, or somebody else chose first.${now}`,
    );
  }
  return redirect(`/dashboard/in-doubt?done=${answer}`);
}
