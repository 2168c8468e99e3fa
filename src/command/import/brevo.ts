/** What Brevo knows of an account, in the order it is taken over. */

import { parseDomain } from '../../core/domain.ts';
import type { SuppressionOrigin } from '../../core/suppression.ts';
import type { TakeOver } from '../../use-cases/take-over.ts';
import type { MadeThings } from '../../use-cases/take-over-templates.ts';
import { putDomain } from './domains.ts';
import { type Item, itemsOf, type Source, textOf } from './source.ts';
import type { Step, Told } from './steps.ts';

const pageSize = 100;
const listsPageSize = 50;

export function brevoSteps(source: Source, into: TakeOver, made: MadeThings, tell: Told): Step[] {
  return [
    {
      what: 'suppressions',
      take: (place) =>
        takePage(source, '/smtp/blockedContacts', 'contacts', place, (items) => suppressAll(into, items)),
    },
    { what: 'blocked domains', take: () => takeDomains(source, into) },
    { what: 'contacts', take: (place) => takeContacts(source, into, place) },
    {
      what: 'templates',
      take: (place) =>
        takePage(source, '/smtp/templates', 'templates', place, (items) => takeTemplates(made, items, tell)),
    },
    { what: 'domains', take: () => takeSenderDomains(source, made, tell) },
  ];
}

export const brevoLeftOut = [
  { what: 'attributes', path: '/contacts/attributes', why: 'FIRSTNAME and LASTNAME alone are taken' },
];

async function takePage(
  source: Source,
  path: string,
  member: string,
  place: string | null,
  take: (items: Item[]) => Promise<void>,
) {
  const offset = Number(place ?? 0);
  const answer = await source(`${path}?limit=${pageSize}&offset=${offset}&sort=asc`);
  const items = itemsOf(answer[member]);
  await take(items);
  const end = offset + items.length;
  return { taken: items.length, next: items.length === 0 || end >= Number(answer.count ?? 0) ? null : String(end) };
}

const origins: Readonly<Record<string, SuppressionOrigin>> = {
  hardBounce: 'bounce',
  contactFlaggedAsSpam: 'complaint',
};

async function suppressAll(into: TakeOver, items: Item[]): Promise<void> {
  for (const { email, reason } of items) {
    const address = textOf(email);
    const { code } = (reason ?? {}) as Item;
    if (address !== null) await into.suppress([address], origins[String(code)] ?? 'manual');
  }
}

async function takeDomains(source: Source, into: TakeOver) {
  const { domains } = await source('/smtp/blockedDomains');
  const named = Array.isArray(domains) ? domains.flatMap((one) => textOf(one) ?? []) : [];
  for (const domain of named) await into.blockDomain(domain.toLowerCase());
  return { taken: named.length, next: null };
}

async function takeContacts(source: Source, into: TakeOver, place: string | null) {
  const lists = await namesOfLists(source);
  return takePage(source, '/contacts', 'contacts', place, async (items) => {
    for (const { email, emailBlacklisted, attributes, listIds } of items) {
      const address = textOf(email);
      if (address === null) continue;
      const { FIRSTNAME, LASTNAME } = (attributes ?? {}) as Item;
      const segments = [];
      for (const id of Array.isArray(listIds) ? listIds : []) {
        const name = lists.get(Number(id));
        if (name !== undefined) segments.push({ id: await into.segmentOf(name) });
      }
      await into.putContact({
        address,
        ...(textOf(FIRSTNAME) === null ? {} : { firstName: textOf(FIRSTNAME) }),
        ...(textOf(LASTNAME) === null ? {} : { lastName: textOf(LASTNAME) }),
        ...(emailBlacklisted === true ? { unsubscribed: true } : {}),
        addTo: segments,
      });
    }
  });
}

async function namesOfLists(source: Source): Promise<Map<number, string>> {
  const names = new Map<number, string>();
  for (let offset = 0; ; offset += listsPageSize) {
    const lists = itemsOf((await source(`/contacts/lists?limit=${listsPageSize}&offset=${offset}`)).lists);
    for (const { id, name } of lists) names.set(Number(id), String(name));
    if (lists.length < listsPageSize) return names;
  }
}

/** An app names a template by its number: where that is free here, it stays. */
async function takeTemplates(made: MadeThings, items: Item[], tell: Told): Promise<void> {
  for (const { id, name, subject, isActive, sender, replyTo, toField, tag, htmlContent } of items) {
    const from = (sender ?? {}) as Item;
    const title = textOf(name) ?? String(id);
    const { number, isNew } = await made.putTemplate(Number(id), {
      name: title,
      sender: { name: textOf(from.name) ?? '', email: textOf(from.email) ?? '' },
      ...{ subject: textOf(subject) ?? '', html: textOf(htmlContent) ?? '', replyTo: replyToOf(replyTo) },
      ...{ toField: textOf(toField) ?? '', tag: textOf(tag) ?? '', attachmentUrl: null, isActive: isActive === true },
    });
    if (isNew)
      tell(
        `  ${title}: number ${number}${number === Number(id) ? '' : ` here, which was ${String(id)}: change the app`}`,
      );
  }
}

/** Brevo shows one that is none in brackets. */
function replyToOf(value: unknown): string | null {
  const text = textOf(value);
  return text?.includes('@') ? text : null;
}

async function takeSenderDomains(source: Source, made: MadeThings, tell: Told) {
  const domains = itemsOf((await source('/senders/domains')).domains);
  const names = domains.flatMap(({ domain_name }) => parseDomain(String(domain_name ?? '')) ?? []);
  for (const name of names) await putDomain(made, name, 'us-east-1', tell);
  return { taken: names.length, next: null };
}
