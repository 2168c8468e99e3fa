/** Contacts: who they are, which segments they are in, what they chose of topics, and who wants no mail. */

import { parseMailbox } from '../../core/address.ts';
import type { Contact, Segment, Topic } from '../../core/contact.ts';
import { AppError } from '../../core/error.ts';
import { isUuid } from '../../core/token.ts';
import { findContact, listContacts } from '../../store/contacts/contacts.ts';
import { countSegments, listSegments, type SegmentCounts } from '../../store/contacts/segments.ts';
import { listTopics } from '../../store/contacts/topics.ts';
import { renderManaged } from '../frame/manage.tsx';
import { Count, Counted, Empty, Form, Notice, Pill, Time } from '../frame/pieces.tsx';
import { redirect } from '../frame/sign-in.tsx';
import type { Visit } from '../frame/visit.ts';

const pageSize = 50;
const sortedMax = 100;

export async function contacts(visit: Visit): Promise<Response> {
  const { parts, session, query } = visit;
  const { database } = parts;
  const few = { limit: sortedMax, after: null, before: null };
  const { segments } = await listSegments(database, session.account, few);
  const { topics } = await listTopics(database, session.account, few);
  const counts = await countSegments(database, session.account);
  const segment = segments.find(({ id }) => id === query.segment) ?? null;
  const { contacts: listed, hasMore } = await findListed(visit, segment);
  const more = new URLSearchParams({ ...(segment && { segment: segment.id }), after: listed.at(-1)?.id ?? '' });
  return renderManaged(visit, {
    title: 'Contacts',
    path: '/contacts',
    lead: 'People your broadcasts go to. Single emails go to anybody, contact or not.',
    content: (
      <>
        <Done what={query.done} />
        <Find address={query.address ?? ''} />
        {segments.length > 0 && <Segments segments={segments} counts={counts} chosen={segment} />}
        {listed.length > 0 && <List of={listed} />}
        {listed.length === 0 && (
          <Empty title={query.address ? 'No such contact' : 'No contacts yet'}>
            <p>
              {query.address
                ? 'Addresses are compared whole: enter all of it.'
                : 'Add one below, through POST /contacts, or take over all you have with sendonce import.'}
            </p>
          </Empty>
        )}
        {hasMore && (
          <a class="button" href={`/dashboard/contacts?${more}`}>
            Older
          </a>
        )}
        <div class="columns">
          <Add visit={visit} segments={segments} />
          <AddSegment visit={visit} />
        </div>
        {topics.length > 0 && <Topics of={topics} />}
      </>
    ),
  });
}

async function findListed({ parts, session, query }: Visit, segment: Segment | null) {
  const address = (query.address ?? '').trim();
  if (address !== '') {
    const found = await findContact(parts.database, session.account, { address });
    return { contacts: found ? [found] : [], hasMore: false };
  }
  const after = isUuid(query.after ?? '') ? (query.after ?? null) : null;
  return listContacts(parts.database, session.account, segment?.id ?? null, { limit: pageSize, after, before: null });
}

const done: Record<string, string> = {
  added: 'Added.',
  segment: 'The segment is there. Choose it when you add contacts.',
  deleted: 'Deleted, with what they had chosen.',
};

function Done({ what = '' }: { what: string | undefined }) {
  const text = done[what];
  return text ? <Notice tone="good">{text}</Notice> : null;
}

function Find({ address }: { address: string }) {
  return (
    <form class="row" action="/dashboard/contacts">
      <input
        type="search"
        name="address"
        value={address}
        aria-label="Address"
        placeholder="ann@example.com"
        maxlength={254}
      />
      <button type="submit" class="button">
        Find
      </button>
    </form>
  );
}

type SegmentsOptions = { segments: Segment[]; counts: ReadonlyMap<string, SegmentCounts>; chosen: Segment | null };

function Segments({ segments, counts, chosen }: SegmentsOptions) {
  return (
    <nav aria-label="Segments">
      <a href="/dashboard/contacts" {...(chosen === null ? { 'aria-current': 'true' as const } : {})}>
        Everybody
      </a>
      {segments.map(({ id, name }) => {
        const { subscribed, unsubscribed } = counts.get(id) ?? { subscribed: 0, unsubscribed: 0 };
        return (
          <a
            href={`/dashboard/contacts?segment=${id}`}
            {...(chosen?.id === id ? { 'aria-current': 'true' as const } : {})}
          >
            {name}
            <span class="small">
              <Count of={subscribed + unsubscribed} />
              {unsubscribed > 0 && (
                <>
                  , <Count of={unsubscribed} /> unsubscribed
                </>
              )}
            </span>
          </a>
        );
      })}
    </nav>
  );
}

function List({ of }: { of: Contact[] }) {
  return (
    <section class="panel flush" aria-label="Contacts">
      <ol class="rows">
        <li class="heads" aria-hidden="true">
          <span>Address</span>
          <span>Mail</span>
          <span>Name</span>
          <span>Added</span>
        </li>
        {of.map((contact) => (
          <li>
            <a href={`/dashboard/contacts/${contact.id}`} data-row>
              <span>{contact.address}</span>
              <Wants contact={contact} />
              <span class="muted">{nameOf(contact)}</span>
              <span class="muted small">
                <Time at={contact.createdAt} style="short" />
              </span>
            </a>
          </li>
        ))}
      </ol>
    </section>
  );
}

export function Wants({ contact }: { contact: Contact }) {
  if (contact.unsubscribedAt !== null) return <Pill tone="warning">unsubscribed</Pill>;
  return <Pill tone="good">subscribed</Pill>;
}

export function nameOf({ firstName, lastName }: Contact): string {
  return [firstName, lastName].filter(Boolean).join(' ');
}

function Add({ visit, segments }: { visit: Visit; segments: Segment[] }) {
  return (
    <section class="panel">
      <h2>Add a contact</h2>
      <Form visit={visit} action="/dashboard/contacts" class="stack">
        <label for="new-address">Address</label>
        <input id="new-address" name="address" type="email" required maxlength={254} />
        <label for="first">First name</label>
        <input id="first" name="first" maxlength={100} />
        <label for="last">Last name</label>
        <input id="last" name="last" maxlength={100} />
        {segments.length > 0 && (
          <>
            <label for="segment">Segment</label>
            <select id="segment" name="segment">
              <option value="">None</option>
              {segments.map(({ id, name }) => (
                <option value={id}>{name}</option>
              ))}
            </select>
          </>
        )}
        <button type="submit" class="button primary">
          Add contact
        </button>
      </Form>
    </section>
  );
}

function AddSegment({ visit }: { visit: Visit }) {
  return (
    <section class="panel">
      <h2>Create a segment</h2>
      <Form visit={visit} action="/dashboard/segments" class="stack">
        <label for="segment-name">Name</label>
        <input id="segment-name" name="name" required maxlength={100} />
        <button type="submit" class="button">
          Create segment
        </button>
      </Form>
      <p class="muted small">A segment is a set of contacts that a broadcast goes to. Brevo calls it a list.</p>
    </section>
  );
}

function Topics({ of }: { of: Topic[] }) {
  return (
    <section class="panel">
      <h2>
        <Counted of={of.length} one="topic" />
      </h2>
      <dl class="facts">
        {of.map(({ name, description, defaultSubscription, isPublic }) => (
          <>
            <dt>{name}</dt>
            <dd>
              {defaultSubscription === 'opt_in' ? 'Sent unless somebody leaves it' : 'Sent only to who has joined it'}
              {isPublic ? '' : ', not on the preference page'}
              {description === null ? '' : `. ${description}`}
            </dd>
          </>
        ))}
      </dl>
    </section>
  );
}

export async function addContact(visit: Visit): Promise<Response> {
  const { parts, session, form } = visit;
  const text = (name: string) => (form.get(name) ?? '').trim().slice(0, 100) || null;
  const mailbox = parseMailbox((form.get('address') ?? '').trim());
  if (!mailbox) throw new AppError('invalid_field', 'Enter one address.');
  const segment = form.get('segment') ?? '';
  const { contact } = await parts.use.contacts.put(session.account, {
    address: mailbox.address,
    ...(text('first') === null ? {} : { firstName: text('first') }),
    ...(text('last') === null ? {} : { lastName: text('last') }),
    addTo: isUuid(segment) ? [{ id: segment }] : [],
  });
  return redirect(`/dashboard/contacts/${contact.id}?done=added`);
}

export async function addSegment(visit: Visit): Promise<Response> {
  const name = (visit.form.get('name') ?? '').trim();
  if (name === '' || name.length > 100) throw new AppError('invalid_field', 'Enter a name of at most 100 characters.');
  const { id } = await visit.parts.use.segments.make(visit.session.account, name);
  return redirect(`/dashboard/contacts?segment=${id}&done=segment`);
}
