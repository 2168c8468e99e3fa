/** An email's history in order: accepted, every answer of the relay, the gate, and what happens next. */

import type { Child } from 'hono/jsx';
import { never } from '../../store/mail/deliveries.ts';
import type { StoredEmail } from '../../store/mail/emails.ts';
import { type Event, type ShownState, shownState } from '../../store/mail/events.ts';
import type { DeliveryStatus } from '../../store/mail/history.ts';
import { Count, State, Time, type Tone } from '../frame/pieces.tsx';
import { keyPath } from './idempotency.tsx';

type Options = { email: StoredEmail; through: string; events: Event[]; deliveries: DeliveryStatus[] };

type Moment = { at: number; tone: Tone | ''; title: Child; detail?: Child };

export function Timeline({ email, through, events, deliveries }: Options) {
  // What is captured was handed to no relay, and sent to nobody: one word says so.
  const isCaptured = events.some(({ detail }) => detail.said?.captured);
  const told = events.filter(({ type, detail }) => !(type === 'sent' && detail.said?.captured));
  const moments: Moment[] = [
    accepted(email, through),
    ...told.map((event) => momentOf(event)),
    ...deliveries.filter((one) => one.gatedAt !== null && !isCaptured).map(gate),
  ];
  // Of one millisecond, the gate comes before what the relay said after it: the sort is stable, and gates go first.
  moments.sort((a, b) => a.at - b.at || rank(a) - rank(b));
  return (
    <ol class="timeline">
      {moments.map((moment) => (
        <li class={moment.tone ? `tone-${moment.tone}` : ''}>
          <div class="row spread">
            <span>{moment.title}</span>
            <Time at={moment.at} />
          </div>
          {moment.detail}
        </li>
      ))}
      {deliveries
        .filter((one) => one.state === 'queued')
        .map((one) => (
          <Waiting delivery={one} />
        ))}
    </ol>
  );
}

function rank(moment: Moment): number {
  return moment.tone === 'accent' ? 0 : 1;
}

function accepted(email: StoredEmail, through: string): Moment {
  const people = email.to.length + email.cc.length + email.bcc.length;
  return {
    at: email.createdAt,
    tone: 'accent',
    title: <b>Accepted</b>,
    detail: (
      <p class="muted">
        Through {through}, for <Count of={people} /> {people === 1 ? 'recipient' : 'recipients'},{' '}
        {email.keyHash ? (
          <>
            with an <a href={keyPath(email.keyHash)}>idempotency key</a>
          </>
        ) : (
          'without an idempotency key'
        )}
        . Stored durably.
      </p>
    ),
  };
}

const toneOf: Partial<Record<ShownState, Tone>> = {
  sent: 'good',
  delivered: 'good',
  captured: 'accent',
  bounced: 'bad',
  failed: 'bad',
  complained: 'bad',
  delivery_delayed: 'warning',
};

const namesOf = { operator: 'an operator', policy: 'the policy', notice: 'a notice that came back' };

function momentOf({ type, at, detail }: Event): Moment {
  const state = shownState(type, detail);
  return {
    at,
    tone: toneOf[state] ?? '',
    title: (
      <>
        <State is={detail.in_doubt ? 'in_doubt' : state} />
        {detail.attempt !== undefined && <span class="muted"> attempt {detail.attempt}</span>}
        {detail.relay !== undefined && <span class="muted"> through {detail.relay}</span>}
        {detail.by && <span class="muted"> by {namesOf[detail.by]}</span>}
      </>
    ),
    detail: (
      <>
        {detail.scheduled_at !== undefined && (
          <p>
            For <Time at={detail.scheduled_at} />
          </p>
        )}
        {detail.recipients && <p class="muted small">{detail.recipients.join(', ')}</p>}
        {(detail.passed_over ?? []).map(({ relay, reason }) => (
          <p class="muted small">
            Moved on from {relay}: {reason}
          </p>
        ))}
        {(detail.replies ?? (detail.reply ? [detail.reply] : [])).map((reply) => (
          <pre class="wrap">{reply}</pre>
        ))}
      </>
    ),
  };
}

function gate(delivery: DeliveryStatus): Moment {
  return {
    at: delivery.gatedAt ?? 0,
    tone: 'accent',
    title: <b>Handing to relay</b>,
    detail: (
      <p class="muted">
        From here the message may have been sent; only the relay’s reply, or you, can settle it
        {delivery.part > 0 && ` (delivery ${delivery.part})`}.
      </p>
    ),
  };
}

function Waiting({ delivery }: { delivery: DeliveryStatus }) {
  if (delivery.runAt >= never) return null;
  const wasTried = delivery.tries + delivery.failures > 0;
  return (
    <li>
      <div class="row spread">
        <span>
          <State is="queued" /> <span class="muted">{wasTried ? 'next attempt' : 'not sent yet'}</span>
        </span>
        <Time at={delivery.runAt} />
      </div>
      <p class="muted small">
        {delivery.recipients.join(', ')}
        {delivery.failures > 0 &&
          ` · relay not reached: ${delivery.failures} ${delivery.failures === 1 ? 'try' : 'tries'}`}
      </p>
      {delivery.reply && wasTried && <pre class="wrap">{delivery.reply}</pre>}
      <p class="muted small">
        Gives up on <Time at={delivery.giveUpAt} />
      </p>
    </li>
  );
}
