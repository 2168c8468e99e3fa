/** All emails, newest first, and the search over them. */

import { AppError } from '../../core/error.ts';
import { idTime, isUuid } from '../../core/token.ts';
import { findEmailSummary } from '../../store/mail/emails.ts';
import { findUnindexed } from '../../store/page/index-progress.ts';
import { findUnnamed } from '../../store/page/sender-index.ts';
import { indexedWithin } from '../../use-cases/page-index.ts';
import { askFirst, isConfirmed } from '../frame/confirm.tsx';
import { renderPage } from '../frame/frame.tsx';
import { Empty, Form, Notice, PageHead, Time } from '../frame/pieces.tsx';
import { redirect } from '../frame/sign-in.tsx';
import type { Visit } from '../frame/visit.ts';
import { EmailRows } from './email-rows.tsx';
import { type Filters, isFiltered, namesSender, queryOf, readFilters, searchOf } from './filters.ts';
import { accountOf, findListed } from './found-emails.ts';
import { SearchBox } from './search-box.tsx';

const pageSize = 50;

export async function emails(visit: Visit): Promise<Response> {
  const { parts, session, query } = visit;
  const filters = readFilters(query);
  const after = isUuid(query.after ?? '') ? (query.after ?? null) : null;
  const search = searchOf(filters);
  if (search?.kind === 'email') {
    const known = await findEmailSummary(parts.database, session.account, search.id);
    if (known) return redirect(`/dashboard/emails/${search.id}`);
  }
  const listed = await findListed(visit, filters, { after, limit: pageSize });
  const isAll = !isFiltered(filters);
  const account = accountOf(visit, filters);
  const isForeign = account !== session.account;
  return renderPage(visit, {
    title: filters.q === '' ? 'Emails' : `${filters.q} · Emails`,
    at: '/emails',
    isLive: after === null,
    content: (
      <>
        <PageHead title="Emails" />
        <Canceled count={query.canceled} />
        <SearchBox visit={visit} filters={filters} />
        {isForeign && (
          <Notice>
            Emails of the account <b>{account}</b>: how many there are, and how they fare. Status, relay and dates
            narrow them. Whom they are for and what they say is shown to that account only.
          </Notice>
        )}
        {!isAll && <Behind visit={visit} filters={filters} />}
        {listed.note && <Notice>{listed.note}</Notice>}
        {listed.emails.length > 0 && (
          <>
            <section class="panel flush" aria-label="Emails">
              <EmailRows emails={listed.emails} {...(isForeign ? { base: null } : {})} />
            </section>
            <div class="row">
              <a class="button" href={`/dashboard/emails.csv${queryOf(filters, after === null ? {} : { after })}`}>
                Export as CSV
              </a>
              {!isForeign && <CancelShown visit={visit} filters={filters} ids={listed.emails.map(({ id }) => id)} />}
            </div>
          </>
        )}
        {listed.emails.length === 0 &&
          (isAll && after === null ? <NoneYet /> : <NoneFound visit={visit} isAll={isAll} />)}
        <Pager filters={filters} after={after} next={listed.next} />
      </>
    ),
  });
}

/** Said where it is more than the moment that it always takes. */
const behindMs = 40_000;

type BehindOptions = { visit: Visit; filters: Filters };

/** What cannot be found yet is said before anybody takes it for lost. */
async function Behind({ visit, filters }: BehindOptions) {
  const { database, clock } = visit.parts;
  const account = accountOf(visit, filters);
  const unindexed = await findUnindexed(database, account);
  if (unindexed !== null && unindexed <= clock.now() - behindMs) {
    return (
      <Notice tone="warning">
        Still indexing: emails accepted since <Time at={unindexed} /> cannot be found by a filter yet. The list without
        filters shows all.
      </Notice>
    );
  }
  const unnamed = namesSender(filters) ? await findUnnamed(database, account) : null;
  if (unnamed === null) return null;
  return (
    <Notice tone="warning">
      Still indexing: emails accepted before <Time at={idTime(unnamed)} /> cannot be found by sender or relay yet.
    </Notice>
  );
}

/** Of what can still be called off: a page of it at once. */
function CancelShown({ visit, filters, ids }: { visit: Visit; filters: Filters; ids: string[] }) {
  if (filters.status !== 'queued' && filters.status !== 'scheduled') return null;
  return (
    <Form visit={visit} action="/dashboard/emails/cancel">
      <input type="hidden" name="ids" value={ids.join(',')} />
      <button type="submit" class="button tone-bad">
        Cancel these {ids.length}
      </button>
    </Form>
  );
}

export async function cancelMany(visit: Visit): Promise<Response> {
  const { parts, session, form } = visit;
  const ids = (form.get('ids') ?? '').split(',').filter(isUuid).slice(0, pageSize);
  if (ids.length === 0) throw new AppError('invalid_field', 'Choose at least one email.');
  if (!isConfirmed(visit)) {
    return askFirst(visit, {
      title: ids.length === 1 ? 'Cancel 1 email?' : `Cancel ${ids.length} emails?`,
      at: '/emails',
      content: <p>They will not be sent. What has been handed to a relay meanwhile is not canceled.</p>,
      yes: 'Cancel them',
      action: '/dashboard/emails/cancel',
      fields: { ids: ids.join(',') },
      back: '/dashboard/emails',
    });
  }
  let canceled = 0;
  for (const id of ids) if (await isCanceled(() => parts.use.amend.cancel(session.account, id))) canceled += 1;
  return redirect(`/dashboard/emails?canceled=${canceled}-${ids.length}`);
}

/** One that is too late, or gone, does not keep the others from being canceled. */
async function isCanceled(cancel: () => Promise<void>): Promise<boolean> {
  try {
    await cancel();
    return true;
  } catch (error) {
    if (error instanceof AppError && (error.code === 'invalid_field' || error.code === 'not_found')) return false;
    throw error;
  }
}

function Canceled({ count = '' }: { count: string | undefined }) {
  const [, canceled, asked] = /^(\d{1,3})-(\d{1,3})$/.exec(count) ?? [];
  if (canceled === undefined) return null;
  return (
    <Notice tone={canceled === asked ? 'good' : 'warning'}>
      {canceled} of {asked} canceled.{canceled === asked ? '' : ' For the others it was too late.'}
    </Notice>
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

function NoneFound({ visit, isAll }: { visit: Visit; isAll: boolean }) {
  return (
    <Empty title={isAll ? 'Nothing older' : 'Nothing found'}>
      {!isAll && (
        <p>
          No email matches. All words must match; recipients and words match by their beginning. A new email can be
          searched for about {indexedWithin[visit.parts.database.engine]} later.
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

function Pager({ filters, after, next }: { filters: Filters; after: string | null; next: string | null }) {
  if (after === null && next === null) return null;
  const query = (more: Record<string, string>) => `/dashboard/emails${queryOf(filters, more)}`;
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
