/** All emails, newest first, and the search over them. */

import { isUuid } from '../core/token.ts';
import { type EmailSummary, findEmailSummary, listEmails } from '../store/mail/emails.ts';
import { searchEmails } from '../store/page/search-index.ts';
import { parseSearch } from '../store/page/search-query.ts';
import { indexedWithin } from '../use-cases/page-index.ts';
import { EmailRows } from './email-rows.tsx';
import { renderPage } from './frame.tsx';
import { Empty, Notice, PageHead } from './pieces.tsx';
import { redirect } from './sign-in.tsx';
import type { Visit } from './visit.ts';

const pageSize = 50;

type Listed = {
  emails: EmailSummary[];
  /** Where older ones go on; null at the end. */
  next: string | null;
  note: string | null;
};

export async function emails(visit: Visit): Promise<Response> {
  const text = (visit.query.q ?? '').trim();
  const after = isUuid(visit.query.after ?? '') ? (visit.query.after ?? null) : null;
  const search = parseSearch(text);
  if (search?.kind === 'email') {
    const known = await findEmailSummary(visit.parts.database, visit.session.account, search.id);
    if (known) return redirect(`/dashboard/emails/${search.id}`);
  }
  const listed = text === '' ? await newestFirst(visit, after) : await found(visit, search, after);
  const within = indexedWithin[visit.parts.database.engine];
  return renderPage(visit, {
    title: text === '' ? 'Emails' : `${text} · Emails`,
    at: '/emails',
    isLive: after === null,
    content: (
      <>
        <PageHead title="Emails" />
        <SearchBox text={text} />
        {listed.note && <Notice>{listed.note}</Notice>}
        {listed.emails.length > 0 && (
          <section class="panel flush" aria-label="Emails">
            <EmailRows emails={listed.emails} />
          </section>
        )}
        {listed.emails.length === 0 &&
          (text === '' && after === null ? <NoneYet /> : <NoneFound text={text} within={within} />)}
        <Pager text={text} after={after} next={listed.next} />
      </>
    ),
  });
}

async function newestFirst({ parts, session }: Visit, after: string | null): Promise<Listed> {
  const page = { limit: pageSize, after, before: null };
  const { emails, hasMore } = await listEmails(parts.database, session.account, page);
  return { emails, next: hasMore ? (emails.at(-1)?.id ?? null) : null, note: null };
}

async function found(visit: Visit, search: ReturnType<typeof parseSearch>, after: string | null): Promise<Listed> {
  const { database } = visit.parts;
  const { account } = visit.session;
  if (search?.kind !== 'terms') return { emails: [], next: null, note: null };
  const { ids, next, isTooWide } = await searchEmails(database, account, search.conditions, { after, limit: pageSize });
  const summaries = await Promise.all(ids.map((id) => findEmailSummary(database, account, id)));
  return { emails: summaries.filter((one) => one !== null), next, note: noteOf(isTooWide, ids.length, next) };
}

function noteOf(isTooWide: boolean, shown: number, next: string | null): string | null {
  if (isTooWide) return 'Too many matches: some are left out. Type more.';
  if (shown < pageSize && next !== null) return 'There may be more: only the newest emails were searched so far.';
  return null;
}

const ways: [example: string, meaning: string][] = [
  ['ann@example.com', 'recipient (prefix)'],
  ['invoice may', 'subject words'],
  ['is:bounced', 'status'],
  ['tag:kind=welcome', 'tag'],
];

function SearchBox({ text }: { text: string }) {
  return (
    <search class="stack">
      <form class="row" action="/dashboard/emails" data-keep="search">
        <input
          type="search"
          name="q"
          value={text}
          aria-label="Search emails"
          placeholder="Recipient, subject, ID, Message-ID, tag: or is:"
          autocomplete="off"
          maxlength={300}
        />
        <button type="submit" class="button primary">
          Search
        </button>
      </form>
      <p class="row muted small">
        {ways.map(([example, meaning]) => (
          <span>
            <a href={`/dashboard/emails?q=${encodeURIComponent(example)}`}>{example}</a> {meaning}
          </span>
        ))}
        <span class="needs-script keyboard">
          <kbd>/</kbd> search <kbd>j</kbd> <kbd>k</kbd> move
        </span>
      </p>
    </search>
  );
}

function NoneYet() {
  return (
    <Empty title="No emails yet">
      <p>Your first email appears here as soon as it is accepted.</p>
      <p>
        <a class="button primary" href="/dashboard/setup">
          Send a test email
        </a>
      </p>
    </Empty>
  );
}

function NoneFound({ text, within }: { text: string; within: string }) {
  return (
    <Empty title={text === '' ? 'Nothing older' : 'Nothing found'}>
      {text !== '' && (
        <p>
          No email matches <b>{text}</b>. All words must match; recipients and words match by their beginning. A new
          email can be searched for about {within} later.
        </p>
      )}
      <p>
        <a class="button" href="/dashboard/emails">
          All emails
        </a>
      </p>
    </Empty>
  );
}

function Pager({ text, after, next }: { text: string; after: string | null; next: string | null }) {
  if (after === null && next === null) return null;
  const query = (more: Record<string, string>) =>
    `/dashboard/emails?${new URLSearchParams({ ...(text ? { q: text } : {}), ...more })}`;
  return (
    <nav class="row spread" aria-label="Pages">
      {after === null ? (
        <span />
      ) : (
        <a class="button" href={query({})}>
          Newest
        </a>
      )}
      {next !== null && (
        <a class="button" href={query({ after: next })}>
          Older
        </a>
      )}
    </nav>
  );
}
