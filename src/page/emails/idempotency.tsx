/** Idempotency: which keys were used again, where requests under one differed, and who sends without a key. */

import { keyScopesOf } from '../../http/facade.ts';
import type { Reader } from '../../store/database.ts';
import { findKey, findKeyHistory } from '../../store/idempotency.ts';
import { type EmailSummary, findEmailSummary, listEmails } from '../../store/mail/emails.ts';
import { listConflicts, listReplays, type UsedKey } from '../../store/page/used-keys.ts';
import type { KeyLife } from '../../use-cases/key-history.ts';
import { keyLifetimeMs } from '../../use-cases/submission.ts';
import { renderPage } from '../frame/frame.tsx';
import { Count, Counted, Empty, PageHead, Pill, Recipients, Time, type Tone } from '../frame/pieces.tsx';
import type { Visit } from '../frame/visit.ts';
import { type Life, LifeOf } from './key-life.tsx';

export async function idempotency(visit: Visit): Promise<Response> {
  const { key = '', hash = '' } = visit.query;
  const isAsked = key !== '' || hash !== '';
  const lives = key === '' ? await findByHash(visit, hash) : await findLives(visit, key);
  return renderPage(visit, {
    title: 'Idempotency',
    at: '/idempotency',
    isLive: true,
    content: (
      <>
        <PageHead title="Idempotency">
          <p class="muted">
            Every use of a key, and who sends without one. Keys are stored as hashes: to find one by its text, enter it
            exactly as the client sent it.
          </p>
        </PageHead>
        <KeyBox text={key} />
        {lives.map((life) => (
          <LifeOf life={life} now={visit.parts.clock.expiryNow()} />
        ))}
        {lives.length === 0 && isAsked && <Unknown text={key} />}
        {!isAsked && <Overview visit={visit} />}
      </>
    ),
  });
}

/** Keys shown of each kind. */
const keysShown = 20;

async function Overview({ visit }: { visit: Visit }) {
  const { database, use } = visit.parts;
  const { account } = visit.session;
  // So that what was counted a moment ago is shown; a full disk must not keep the rest from being read.
  await use.flushUses().catch(() => {});
  const conflicts = await withEmails(database, await listConflicts(database, account, keysShown));
  const replays = await withEmails(database, await listReplays(database, account, keysShown));
  const { emails } = await listEmails(database, account, { limit: keysShown, after: null, before: null });
  return (
    <>
      {conflicts.length > 0 && <UsedKeys title="Conflicting requests rejected" kind="conflict" keys={conflicts} />}
      {replays.length > 0 && <UsedKeys title="Retries replayed" kind="replay" keys={replays} />}
      <Clients visit={visit} />
      <Latest emails={emails} />
      <Lesson visit={visit} />
    </>
  );
}

type Shown = { used: UsedKey; email: EmailSummary | null };

function withEmails(reader: Reader, keys: UsedKey[]): Promise<Shown[]> {
  return Promise.all(
    keys.map(async (used) => {
      const [first] = used.emailIds;
      return { used, email: first === undefined ? null : await findEmailSummary(reader, used.account, first) };
    }),
  );
}

type UsedKeysOptions = { title: string; kind: 'replay' | 'conflict'; keys: Shown[] };

function UsedKeys({ title, kind, keys }: UsedKeysOptions) {
  return (
    <section class="panel flush" aria-label={title}>
      <div class="row spread">
        <h2>{title}</h2>
        {kind === 'conflict' && (
          <span class="muted small">A bug of the client: what these asked for was not sent.</span>
        )}
      </div>
      <ol class="rows">
        {keys.map(({ used, email }) => (
          <KeyRow
            hash={used.keyHash}
            email={email}
            pill={kind === 'conflict' ? [used.conflicts, 'conflict'] : [used.replays, 'replay']}
            tone={kind === 'conflict' ? 'bad' : 'accent'}
            detail={detailOf(used, kind)}
            at={(kind === 'conflict' ? used.lastConflictAt : used.lastReplayAt) ?? used.createdAt}
          />
        ))}
      </ol>
    </section>
  );
}

/** Who sent it, on which try, and what differed. */
function detailOf({ uses }: UsedKey, kind: 'replay' | 'conflict'): string {
  const last = uses.findLast((use) => use.kind === kind);
  if (!last) return '';
  const differed = kind === 'conflict' ? `${last.fields.join(', ') || 'something'} differed` : '';
  const attempt = last.attempt === undefined ? '' : `attempt ${last.attempt}`;
  return [differed, last.client ?? 'unknown client', attempt].filter((one) => one !== '').join(' · ');
}

type KeyRowOptions = {
  hash: Uint8Array;
  email: EmailSummary | null;
  pill: [of: number, one: string];
  tone: Tone;
  detail: string;
  at: number;
};

function KeyRow({ hash, email, pill: [of, one], tone, detail, at }: KeyRowOptions) {
  return (
    <li>
      <a href={keyPath(hash)} data-row>
        <span>{email ? <Recipients of={[...email.to, ...email.cc, ...email.bcc]} /> : 'deleted email'}</span>
        <Pill tone={tone}>
          <Counted of={of} one={one} />
        </Pill>
        <span class="muted">{[email?.subject, detail].filter(Boolean).join(' · ')}</span>
        <span class="muted small">
          <Time at={at} style="short" />
        </span>
      </a>
    </li>
  );
}

/** Where the key of this hash is shown. */
export function keyPath(hash: Uint8Array): string {
  return `/dashboard/idempotency?hash=${Buffer.from(hash).toString('hex')}`;
}

function Clients({ visit: { parts, session } }: { visit: Visit }) {
  const clients = parts.keyless.counted(session.account);
  if (clients.length === 0) return null;
  return (
    <section class="panel">
      <h2>Requests without a key</h2>
      <p class="muted">By client, since this server started. A retry of such a request is another email.</p>
      <dl class="facts">
        {clients.map(({ client, keyless, keyed }) => (
          <>
            <dt>{client}</dt>
            <dd>
              <Pill tone={keyless > 0 ? 'warning' : 'good'}>
                <Count of={keyless} /> of <Counted of={keyless + keyed} one="request" />
              </Pill>
            </dd>
          </>
        ))}
      </dl>
    </section>
  );
}

/** Keys that were taken last: of several emails under one, the newest. */
function Latest({ emails }: { emails: EmailSummary[] }) {
  const keyed = new Map(emails.flatMap((email) => (email.keyHash ? [[keyPath(email.keyHash), email]] : [])));
  if (keyed.size === 0) return null;
  return (
    <section class="panel flush" aria-label="Latest keys">
      <div class="row spread">
        <h2>Latest keys</h2>
      </div>
      <ol class="rows">
        {[...keyed.values()].map((email) => (
          <KeyRow
            hash={email.keyHash ?? new Uint8Array()}
            email={email}
            pill={[1, 'first request']}
            tone="muted"
            detail=""
            at={email.createdAt}
          />
        ))}
      </ol>
    </section>
  );
}

async function findLives({ parts, session }: Visit, key: string): Promise<Life[]> {
  const lives = await parts.use.findKeyLives(session.account, key, keyScopesOf(parts.facades).values());
  return Promise.all(lives.map(async (life) => ({ ...life, emails: await findEmails(parts.database, life) })));
}

async function findByHash({ parts, session }: Visit, hex: string): Promise<Life[]> {
  if (!/^([0-9a-f]{2}){1,64}$/.test(hex)) return [];
  await parts.use.flushUses().catch(() => {});
  const hash = Buffer.from(hex, 'hex');
  const record = await findKey(parts.database, session.account, hash);
  const history = await findKeyHistory(parts.database, session.account, hash);
  if (!record || !history) return [];
  return [{ ...record, ...history, emails: await findEmails(parts.database, { ...record, ...history }) }];
}

/** A batch may have made more than a page shows. */
const emailsShown = 100;

async function findEmails(reader: Reader, { account, emailIds }: KeyLife): Promise<EmailSummary[]> {
  const emails = await Promise.all(emailIds.slice(0, emailsShown).map((id) => findEmailSummary(reader, account, id)));
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
        {text === '' ? 'The key' : <code>{text}</code>} was never used, every request with it was rejected, or it
        expired and was deleted. Keys are compared byte for byte: check for spaces, upper and lower case, and line ends.
      </p>
    </Empty>
  );
}
