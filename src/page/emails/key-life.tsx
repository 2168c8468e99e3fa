/** One idempotency key: its first request, every later one, and the emails it stands for. */

import type { KeyUse } from '../../store/idempotency.ts';
import type { EmailSummary } from '../../store/mail/emails.ts';
import type { KeyLife } from '../../use-cases/key-history.ts';
import { Count, Counted, Pill, State, Time } from '../frame/pieces.tsx';
import { EmailRows } from './email-rows.tsx';

export type Life = KeyLife & { emails: EmailSummary[] };

export function LifeOf({ life, now }: { life: Life; now: number }) {
  const isActive = life.expiresAt > now;
  return (
    <>
      <section class="panel">
        <div class="row spread">
          <h2>{life.scope.replace(/^\S+ /, '')}</h2>
          <State is={isActive ? 'active' : 'expired'} />
        </div>
        <Figures life={life} />
        <dl class="facts">
          <dt>First request</dt>
          <dd>
            <Time at={life.createdAt} />, answered {life.status}
          </dd>
          <dt>{isActive ? 'Expires' : 'Expired'}</dt>
          <dd>
            <Time at={life.expiresAt} />
          </dd>
          <dt>Response</dt>
          <dd>
            <details>
              <summary>Stored response</summary>
              <pre class="wrap">
                <code>{life.body}</code>
              </pre>
            </details>
          </dd>
        </dl>
      </section>
      <section class="panel">
        <h2>History</h2>
        <ol class="timeline">
          <li class="tone-accent">
            <div class="row spread">
              <b>Accepted</b>
              <Time at={life.createdAt} />
            </div>
            <p class="muted">
              Created <Counted of={life.emailIds.length} one="email" />, in one transaction with the key.
            </p>
          </li>
          <Forgotten life={life} />
          {life.uses.map((use) => (
            <Use use={use} />
          ))}
        </ol>
      </section>
      <section class="panel flush">
        <div class="row spread">
          <h2>Emails</h2>
        </div>
        <EmailRows emails={life.emails} />
      </section>
    </>
  );
}

function Figures({ life }: { life: Life }) {
  return (
    <p class="row spread">
      <span>
        <b class="figure">
          <Count of={life.replays} />
        </b>{' '}
        {life.replays === 1 ? 'retry' : 'retries'} replayed
      </span>
      {life.conflicts > 0 && (
        <Pill tone="bad">
          <Counted of={life.conflicts} one="conflicting request" /> rejected
        </Pill>
      )}
    </p>
  );
}

/** Only the last uses are kept in detail. */
function Forgotten({ life }: { life: Life }) {
  const more = life.replays + life.conflicts - life.uses.length;
  if (more <= 0) return null;
  return (
    <li>
      <p class="muted">
        <Counted of={more} one="earlier request" /> counted, but not kept in detail.
      </p>
    </li>
  );
}

function Use({ use }: { use: KeyUse }) {
  const isReplay = use.kind === 'replay';
  return (
    <li class={isReplay ? 'tone-good' : 'tone-bad'}>
      <div class="row spread">
        <State is={use.kind} />
        <Time at={use.at} />
      </div>
      <p>
        {isReplay
          ? 'The same request again: got the stored response, sent nothing.'
          : 'A different request with the same key: rejected. What it asked for was not sent.'}
      </p>
      {!isReplay && (
        <p class="muted">
          {use.fields.length === 0 ? 'The fields that differ are not known.' : `Different: ${use.fields.join(', ')}`}
        </p>
      )}
      {use.client && (
        <p class="muted small">
          {use.client}
          {use.attempt === undefined ? '' : `, attempt ${use.attempt}`}
        </p>
      )}
    </li>
  );
}
