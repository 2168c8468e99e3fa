/** One delivery in doubt: the evidence there is, and three answers with what each one risks. */

import type { Child } from 'hono/jsx';
import { never } from '../../store/mail/deliveries.ts';
import type { DoubtAnswer, HeldDelivery } from '../../store/mail/doubt.ts';
import { Copyable, Form, Time } from '../frame/pieces.tsx';
import type { Visit } from '../frame/visit.ts';

export type From = 'list' | 'email';

export function idOf(held: Pick<HeldDelivery, 'emailId' | 'part'>): string {
  return `${held.emailId}.${held.part}`;
}

/** `from`: the page it stands on, which its answer leads back to. */
export function Held({ visit, held, from }: { visit: Visit; held: HeldDelivery; from: From }) {
  return (
    <article class="panel">
      <div class="row spread">
        <h2>
          {from === 'email' ? (
            'In doubt: did the relay accept it?'
          ) : (
            <a href={`/dashboard/emails/${held.emailId}`}>{held.subject || '(no subject)'}</a>
          )}
        </h2>
        {held.gatedAt !== null && (
          <span class="muted small">
            handed to the relay <Time at={held.gatedAt} style="short" />
          </span>
        )}
      </div>
      <Evidence of={held} />
      <div class="columns" data-hold>
        <Answer visit={visit} held={held} from={from} answer="sent" title="The relay has it">
          Nothing more is sent. If the relay does not have it, <b>it never arrives</b>.
        </Answer>
        <Answer visit={visit} held={held} from={from} answer="send-again" title="Send it again">
          The same message with the same Message-ID goes out. If the relay has it, <b>it may arrive twice</b>.
        </Answer>
        <Answer visit={visit} held={held} from={from} answer="abandon" title="Mark as failed">
          Nothing more is sent. <b>It may still have arrived</b>: if your app sends it anew, it arrives twice.
        </Answer>
      </div>
    </article>
  );
}

type AnswerOptions = {
  visit: Visit;
  held: HeldDelivery;
  from: From;
  answer: DoubtAnswer;
  title: string;
  children?: Child;
};

function Answer({ visit, held, from, answer, title, children }: AnswerOptions) {
  return (
    <Form visit={visit} action={`/dashboard/in-doubt/${idOf(held)}`} class="panel third">
      <input type="hidden" name="answer" value={answer} />
      <input type="hidden" name="from" value={from} />
      <p>{children}</p>
      <button type="submit" class={answer === 'abandon' ? 'button tone-bad' : 'button'}>
        {title}
      </button>
    </Form>
  );
}

/** What is known of it, and of the relay that may have it. */
export function Evidence({ of: held }: { of: HeldDelivery }) {
  return (
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
            with its idempotency key until <Time at={held.repeatUntil} />: a reply settles it, and nothing is sent twice
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
  );
}
