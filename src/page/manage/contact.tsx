/** One contact: what is known of them, what they get, and unsubscribing or deleting them. */

import type { Contact } from '../../core/contact.ts';
import { AppError } from '../../core/error.ts';
import { isUuid } from '../../core/token.ts';
import { findContact } from '../../store/contacts/contacts.ts';
import { listSegmentsOf } from '../../store/contacts/segments.ts';
import { listChoices } from '../../store/contacts/topics.ts';
import { askFirst, isConfirmed } from '../frame/confirm.tsx';
import { renderManaged } from '../frame/manage.tsx';
import { Form, Notice, Pill, Time } from '../frame/pieces.tsx';
import { redirect } from '../frame/sign-in.tsx';
import type { Visit } from '../frame/visit.ts';
import { nameOf, Wants } from './contacts.tsx';

async function requireContact({ parts, session, context }: Visit): Promise<Contact> {
  const id = (context.req.param('id') ?? '').toLowerCase();
  const found = isUuid(id) ? await findContact(parts.database, session.account, { id }) : null;
  if (!found) throw new AppError('not_found', 'No contact with this ID.');
  return found;
}

const done: Record<string, string> = {
  added: 'Saved.',
  unsubscribed: 'Unsubscribed. Broadcasts leave them out from now on.',
  subscribed: 'Subscribed again.',
};

export async function contact(visit: Visit): Promise<Response> {
  const { parts, session, query } = visit;
  const found = await requireContact(visit);
  const page = { limit: 100, after: null, before: null };
  const { segments } = await listSegmentsOf(parts.database, session.account, found.id, page);
  const topics = await listChoices(parts.database, session.account, found.id);
  const said = done[query.done ?? ''];
  return renderManaged(visit, {
    title: found.address,
    path: '/contacts',
    lead: <Wants contact={found} />,
    content: (
      <>
        {said && <Notice tone="good">{said}</Notice>}
        <section class="panel">
          <dl class="facts">
            <dt>Name</dt>
            <dd>{nameOf(found) || 'not known'}</dd>
            <dt>Segments</dt>
            <dd>{segments.length === 0 ? 'none' : segments.map(({ name }) => name).join(', ')}</dd>
            {topics.map(({ name, subscription }) => (
              <>
                <dt>Topic {name}</dt>
                <dd>
                  <Pill tone={subscription === 'opt_in' ? 'good' : 'muted'}>
                    {subscription === 'opt_in' ? 'subscribed' : 'unsubscribed'}
                  </Pill>
                </dd>
              </>
            ))}
            {Object.entries(found.properties).map(([name, value]) => (
              <>
                <dt>{name}</dt>
                <dd>{String(value)}</dd>
              </>
            ))}
            <dt>Added</dt>
            <dd>
              <Time at={found.createdAt} />
            </dd>
            {found.unsubscribedAt !== null && (
              <>
                <dt>Unsubscribed</dt>
                <dd>
                  <Time at={found.unsubscribedAt} />
                </dd>
              </>
            )}
          </dl>
          <Actions visit={visit} contact={found} />
        </section>
        <p>
          <a href={`/dashboard/emails?to=${encodeURIComponent(found.address)}`}>Emails to {found.address}</a>
        </p>
      </>
    ),
  });
}

function Actions({ visit, contact }: { visit: Visit; contact: Contact }) {
  const path = `/dashboard/contacts/${contact.id}`;
  return (
    <div class="row">
      <Form visit={visit} action={`${path}/${contact.unsubscribedAt === null ? 'unsubscribe' : 'subscribe'}`}>
        <button type="submit" class="button">
          {contact.unsubscribedAt === null ? 'Unsubscribe' : 'Subscribe again'}
        </button>
      </Form>
      <Form visit={visit} action={`${path}/delete`}>
        <button type="submit" class="button tone-bad">
          Delete
        </button>
      </Form>
    </div>
  );
}

export const unsubscribeContact = (visit: Visit) => changeUnsubscribed(visit, true);

/** Who asked for no mail is mailed again only after a question. */
export async function subscribeContact(visit: Visit): Promise<Response> {
  const { id, address } = await requireContact(visit);
  if (isConfirmed(visit)) return changeUnsubscribed(visit, false);
  return askFirst(visit, {
    title: `Subscribe ${address} again?`,
    at: '/suppressions',
    content: <p>They have unsubscribed. Subscribe them only if they asked you to.</p>,
    yes: 'Subscribe',
    action: `/dashboard/contacts/${id}/subscribe`,
    fields: {},
    back: `/dashboard/contacts/${id}`,
  });
}

async function changeUnsubscribed(visit: Visit, unsubscribed: boolean): Promise<Response> {
  const { id } = await requireContact(visit);
  await visit.parts.use.contacts.change(visit.session.account, { id }, { unsubscribed });
  return redirect(`/dashboard/contacts/${id}?done=${unsubscribed ? 'unsubscribed' : 'subscribed'}`);
}

export async function removeContact(visit: Visit): Promise<Response> {
  const { id, address } = await requireContact(visit);
  if (!isConfirmed(visit)) {
    return askFirst(visit, {
      title: `Delete ${address}?`,
      at: '/suppressions',
      content: (
        <p>
          What they chose is forgotten, too: added again, they get broadcasts again. To keep them from getting mail,
          unsubscribe them instead.
        </p>
      ),
      yes: 'Delete contact',
      action: `/dashboard/contacts/${id}/delete`,
      fields: {},
      back: `/dashboard/contacts/${id}`,
    });
  }
  await visit.parts.use.contacts.remove(visit.session.account, { id });
  return redirect('/dashboard/contacts?done=deleted');
}
