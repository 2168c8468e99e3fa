/** Idempotency keys: the first request of one, every later one, and the emails it stands for. */

import { keyScopesOf } from '../http/facade.ts';
import type { Reader } from '../store/database.ts';
import type { KeyUse } from '../store/idempotency.ts';
import { type EmailSummary, findEmailSummary } from '../store/mail/emails.ts';
import type { KeyLife } from '../use-cases/key-history.ts';
import { keyLifetimeMs } from '../use-cases/submission.ts';
import { EmailRows } from './email-rows.tsx';
import { renderPage } from './frame.tsx';
import { Count, Counted, Empty, PageHead, Pill, State, Time } from './pieces.tsx';
import type { Visit } from './visit.ts';

type Life = KeyLife & { emails: EmailSummary[] };

export async function idempotency(visit: Visit): Promise<Response> {
  const key = visit.query.key ?? '';
  const lives = key === '' ? [] : await findLives(visit, key);
  return renderPage(visit, {
    title: 'Idempotency',
    at: '/idempotency',
    isLive: key !== '',
    content: (
      <>
        <PageHead title="Idempotency">
          <p class="muted">Look up a key exactly as the client sent it, to see each request that used it.</p>
        </PageHead>
        <KeyBox text={key} />
        {lives.map((life) => (
          <LifeOf life={life} now={visit.parts.clock.expiryNow()} />
        ))}
        {lives.length === 0 && (key === '' ? <Lesson visit={visit} /> : <Unknown text={key} />)}
      </>
    ),
  });
}

async function findLives({ parts, session }: Visit, key: string): Promise<Life[]> {
  const lives = await parts.use.findKeyLives(session.account, key, keyScopesOf(parts.facades).values());
  return Promise.all(lives.map(async (life) => ({ ...life, emails: await findEmails(parts.database, life) })));
}

async function findEmails(reader: Reader, { account, emailIds }: KeyLife): Promise<EmailSummary[]> {
  const emails = await Promise.all(emailIds.map((id) => findEmailSummary(reader, account, id)));
  return emails.filter((one) => one !== null);
}

function KeyBox({ text }: { text: string }) {
  return (
    <form class="row" action="/dashboard/idempotency" data-keep="key">
      <input
        type="search"
        name="key"
        value={text}
        aria-label="Idempotency key"
        placeholder="welcome-user/123456789"
        autocomplete="off"
        spellcheck={false}
        maxlength={256}
        required
      />
      <button type="submit" class="button primary">
        Look up
      </button>
    </form>
  );
}

function LifeOf({ life, now }: { life: Life; now: number }) {
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

function Lesson({ visit }: { visit: Visit }) {
  const { facades, facts } = visit.parts;
  const lives = facades.flatMap(({ label, endpoints: [first] }) =>
    first ? [`${label} keys live ${inWords(keyLifetimeMs(first.keyTerms, facts.keyLifetimeMs))}`] : [],
  );
  return (
    <Empty title="One key, one send">
      <p>
        A client names each operation in the <code>Idempotency-Key</code> header. The first accepted request takes the
        key. The same request again gets the stored response and sends nothing. A different request with the same key is
        rejected.
      </p>
      <p>
        {lives.join(', ')}. A good key names the event: <code>welcome-user/123456789</code>.
      </p>
    </Empty>
  );
}

const hourMs = 60 * 60_000;

function inWords(ms: number): string {
  return ms >= hourMs ? `${ms / hourMs} hours` : `${ms / 60_000} minutes`;
}

function Unknown({ text }: { text: string }) {
  return (
    <Empty title="No request accepted with this key">
      <p>
        <code>{text}</code> was never used, every request with it was rejected, or it expired and was deleted. Keys are
        compared byte for byte: check for spaces, upper and lower case, and line ends.
      </p>
    </Empty>
  );
}
