/** What nobody knows: each held delivery with the evidence there is, and three answers with what each one risks. */

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
              The final dot of these mails may have left, and no answer was recorded. SMTP cannot tell whether the relay
              has them, so they are held until you say. Its log can: search it for the Message-ID.
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
  sent: 'Recorded as sent.',
  'send-again': 'It goes out again: the same bytes under the same Message-ID.',
  abandon: 'Given up. It is recorded as failed.',
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
            handed over <Time at={held.gatedAt} style="short" />
          </span>
        )}
      </div>
      <dl class="facts">
        <dt>To</dt>
        <dd>{held.recipients.join(', ')}</dd>
        <dt>What left</dt>
        <dd>
          {held.gatedAt === null ? (
            'Nothing has left this server, as far as this database knows. It is held since the database was restored.'
          ) : (
            <>
              The whole message, up to the final dot, from <Time at={held.gatedAt} /> on
            </>
          )}
        </dd>
        <dt>What came back</dt>
        <dd>{held.reply ?? 'nothing'}</dd>
        {held.relay !== null && (
          <>
            <dt>Relay</dt>
            <dd>{held.relay}</dd>
          </>
        )}
        {held.repeatUntil !== null && (
          <>
            <dt>Asked again</dt>
            <dd>
              under its key until <Time at={held.repeatUntil} />: an answer settles it, and sends nothing twice
            </dd>
          </>
        )}
        <dt>Message-ID</dt>
        <dd>
          <Copyable text={held.messageId} label="the Message-ID" />
        </dd>
        {held.runAt < never && (
          <>
            <dt>By policy</dt>
            <dd>
              sent again at <Time at={held.runAt} />, unless you answer before
            </dd>
          </>
        )}
      </dl>
      <div class="columns" data-hold>
        <Answer visit={visit} held={held} answer="sent" title="The relay has it">
          Nothing more is sent. If the relay does not have it, <b>it never arrives</b>.
        </Answer>
        <Answer visit={visit} held={held} answer="send-again" title="Send it again">
          The same bytes and Message-ID go out. If the relay has it, <b>it arrives twice</b>, unless the recipient’s
          server notices.
        </Answer>
        <Answer visit={visit} held={held} answer="abandon" title="Give it up">
          It is recorded as failed. <b>It may still have arrived</b>: whoever reads “failed” and sends anew makes a
          second one.
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
    <Empty title="Nothing is in doubt">
      <p>
        A mail gets here when its final dot may have left and no answer came: the connection broke, or this program died
        at that very moment. Others guess then; here it is held and shown.
      </p>
      <p>
        {holds
          ? 'Yours are held until you answer. A mail that must arrive even twice says so with the tag sendonce-in-doubt: send-again.'
          : 'The policy of this server sends them again after ten minutes, marked as possible duplicates.'}
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
      `It is not in doubt any more: the relay answered after all, or another operator was faster.${now}`,
    );
  }
  return redirect(`/dashboard/in-doubt?done=${answer}`);
}
