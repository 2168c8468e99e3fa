/** Addresses this account does not mail: why, since when, and putting them on the list or taking them off. */

import { parseMailbox } from '../../core/address.ts';
import { AppError } from '../../core/error.ts';
import { suppressionOrigins } from '../../core/suppression.ts';
import { isUuid } from '../../core/token.ts';
import { findSuppression, listSuppressions, type Suppression } from '../../store/suppressions.ts';
import { askFirst, isConfirmed } from '../frame/confirm.tsx';
import { renderManaged } from '../frame/manage.tsx';
import { Empty, Form, Notice, Pill, Time, type Tone } from '../frame/pieces.tsx';
import { redirect } from '../frame/sign-in.tsx';
import type { Visit } from '../frame/visit.ts';

const pageSize = 50;

export async function suppressions(visit: Visit): Promise<Response> {
  const { parts, session, query } = visit;
  const origin = suppressionOrigins.find((one) => one === query.origin) ?? null;
  const address = (query.address ?? '').trim();
  const after = isUuid(query.after ?? '') ? (query.after ?? null) : null;
  const page = { limit: pageSize, after, before: null, origin };
  const { suppressions: listed, hasMore } =
    address === ''
      ? await listSuppressions(parts.database, session.account, page)
      : { suppressions: await findOne(visit, address), hasMore: false };
  const more = new URLSearchParams({ ...(origin ? { origin } : {}), after: listed.at(-1)?.id ?? '' });
  return renderManaged(visit, {
    title: 'Suppressions',
    path: '/suppressions',
    lead: 'Addresses that get no mail: their mailbox is gone, their owner complained, or somebody added them here.',
    content: (
      <>
        <Done what={query.done} />
        <Find address={address} origin={origin} />
        {listed.length > 0 && <List visit={visit} listed={listed} />}
        {listed.length === 0 && (
          <Empty title={address === '' ? 'No suppressed addresses' : 'Not suppressed'}>
            <p>Addresses whose mailbox is gone are added by themselves when a mail bounces.</p>
          </Empty>
        )}
        {hasMore && (
          <a class="button" href={`/dashboard/suppressions?${more}`}>
            Older
          </a>
        )}
        <Add visit={visit} />
      </>
    ),
  });
}

async function findOne({ parts, session }: Visit, address: string): Promise<Suppression[]> {
  const found = await findSuppression(parts.database, session.account, { address });
  return found ? [found] : [];
}

const done: Record<string, string> = {
  added: 'Added. The address gets no mail from now on.',
  removed: 'Removed. The address gets mail again.',
};

function Done({ what = '' }: { what: string | undefined }) {
  const text = done[what];
  return text ? <Notice tone="good">{text}</Notice> : null;
}

function Find({ address, origin }: { address: string; origin: string | null }) {
  return (
    <form class="row" action="/dashboard/suppressions">
      <input
        type="search"
        name="address"
        value={address}
        aria-label="Address"
        placeholder="ann@example.com"
        maxlength={254}
      />
      <select name="origin" aria-label="Reason">
        <option value="">Any reason</option>
        {suppressionOrigins.map((one) => (
          <option value={one} selected={one === origin}>
            {one}
          </option>
        ))}
      </select>
      <button type="submit" class="button">
        Find
      </button>
    </form>
  );
}

const tones: Record<Suppression['origin'], Tone> = { bounce: 'bad', complaint: 'bad', manual: 'muted' };

function List({ visit, listed }: { visit: Visit; listed: Suppression[] }) {
  return (
    <section class="panel" aria-label="Suppressed addresses">
      {listed.map((one) => (
        <div class="row spread">
          <div>
            <b>{one.address}</b> <Pill tone={tones[one.origin]}>{one.origin}</Pill>{' '}
            <span class="muted small">
              since <Time at={one.createdAt} />
              {one.sourceId !== null && (
                <>
                  , <a href={`/dashboard/emails/${one.sourceId}`}>from this email</a>
                </>
              )}
            </span>
            {one.reply !== null && <pre class="wrap">{one.reply}</pre>}
          </div>
          <Form visit={visit} action="/dashboard/suppressions/remove">
            <input type="hidden" name="id" value={one.id} />
            <button type="submit" class="button quiet" aria-label={`Remove ${one.address}`}>
              Remove
            </button>
          </Form>
        </div>
      ))}
    </section>
  );
}

function Add({ visit }: { visit: Visit }) {
  return (
    <section class="panel">
      <h2>Suppress an address</h2>
      <Form visit={visit} action="/dashboard/suppressions" class="row">
        <div>
          <label for="email">Address</label>
          <input id="email" name="email" type="email" required maxlength={254} />
        </div>
        <button type="submit" class="button primary">
          Suppress
        </button>
      </Form>
    </section>
  );
}

export async function addSuppressed(visit: Visit): Promise<Response> {
  const { parts, session, form } = visit;
  const mailbox = parseMailbox((form.get('email') ?? '').trim());
  if (!mailbox) throw new AppError('invalid_field', 'Enter one address.');
  await parts.use.suppress.add(session.account, [mailbox.address], 'manual');
  return redirect('/dashboard/suppressions?done=added');
}

export async function removeSuppressed(visit: Visit): Promise<Response> {
  const { parts, session, form } = visit;
  const id = form.get('id') ?? '';
  const found = isUuid(id) ? await findSuppression(parts.database, session.account, { id }) : null;
  if (!found) throw new AppError('not_found', 'This address is not suppressed any more.');
  if (!isConfirmed(visit)) {
    return askFirst(visit, {
      title: `Mail ${found.address} again?`,
      at: '/suppressions',
      content:
        found.origin === 'complaint' ? (
          <p>Its owner reported your mail as spam. More mail to it harms your reputation.</p>
        ) : (
          <p>If its mailbox is still gone, the next mail bounces, and the address is suppressed again.</p>
        ),
      yes: 'Remove from the list',
      action: '/dashboard/suppressions/remove',
      fields: { id },
      back: '/dashboard/suppressions',
    });
  }
  await parts.use.suppress.remove(session.account, [{ id }]);
  return redirect('/dashboard/suppressions?done=removed');
}
