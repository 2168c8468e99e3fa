/** What Resend knows of an account, in the order it is taken over. */

import { parseDomain } from '../../core/domain.ts';
import { type SuppressionOrigin, suppressionOrigins } from '../../core/suppression.ts';
import { isOfType, isVariableKey, type TemplateVariable, variableTypes } from '../../core/template-variable.ts';
import type { TakeOver } from '../../use-cases/take-over.ts';
import type { MadeThings } from '../../use-cases/take-over-templates.ts';
import { putDomain } from './domains.ts';
import { type Item, itemsOf, type Source, textOf } from './source.ts';
import type { Step, Told } from './steps.ts';

const pageSize = 100;

export function resendSteps(source: Source, into: TakeOver, made: MadeThings, tell: Told): Step[] {
  return [
    {
      what: 'suppressions',
      take: (place) => takePage(source, '/suppressions', place, (items) => suppressAll(into, items)),
    },
    { what: 'contacts', take: (place) => takePage(source, '/contacts', place, (items) => putAll(into, items)) },
    { what: 'segments', take: (place) => takeSegment(source, into, place) },
    {
      what: 'templates',
      take: (place) =>
        takePage(source, '/templates', place, async (items) => {
          for (const { id } of items) await takeTemplate(made, await source(`/templates/${String(id)}`), tell);
        }),
    },
    {
      what: 'domains',
      take: (place) => takePage(source, '/domains', place, (items) => takeDomains(made, items, tell)),
    },
  ];
}

export const resendLeftOut = [
  { what: 'topics', path: '/topics', why: 'what people chose of them is asked one by one there' },
];

async function takePage(source: Source, path: string, after: string | null, take: (items: Item[]) => Promise<void>) {
  const query = `limit=${pageSize}${after === null ? '' : `&after=${after}`}`;
  const { data, has_more } = await source(`${path}${path.includes('?') ? '&' : '?'}${query}`);
  const items = itemsOf(data);
  await take(items);
  return { taken: items.length, next: has_more === true ? textOf(items.at(-1)?.id) : null };
}

async function suppressAll(into: TakeOver, items: Item[]): Promise<void> {
  for (const origin of suppressionOrigins) {
    const own = items.filter((one) => originOf(one) === origin).flatMap(({ email }) => textOf(email) ?? []);
    if (own.length > 0) await into.suppress(own, origin);
  }
}

function originOf({ origin }: Item): SuppressionOrigin {
  return suppressionOrigins.find((one) => one === origin) ?? 'manual';
}

async function putAll(into: TakeOver, items: Item[], segment?: string): Promise<void> {
  for (const { email, first_name, last_name, unsubscribed } of items) {
    const address = textOf(email);
    if (address === null) continue;
    await into.putContact({
      address,
      ...(textOf(first_name) === null ? {} : { firstName: textOf(first_name) }),
      ...(textOf(last_name) === null ? {} : { lastName: textOf(last_name) }),
      ...(unsubscribed === true ? { unsubscribed: true } : {}),
      ...(segment === undefined ? {} : { addTo: [{ id: segment }] }),
    });
  }
}

/** A page of the members of one segment; the place is the segment and the last of them. */
async function takeSegment(source: Source, into: TakeOver, place: string | null) {
  const segments = itemsOf((await source('/segments')).data).flatMap(({ id, name }) =>
    textOf(id) ? [{ id: String(id), name: String(name) }] : [],
  );
  const [at = segments[0]?.id, after = null] = place?.split(' ') ?? [];
  const index = segments.findIndex(({ id }) => id === at);
  const segment = segments[index];
  if (!segment) return { taken: 0, next: null };
  const own = await into.segmentOf(segment.name);
  const { taken, next } = await takePage(source, `/segments/${segment.id}/contacts`, after || null, (items) =>
    putAll(into, items, own),
  );
  if (next !== null) return { taken, next: `${segment.id} ${next}` };
  const following = segments[index + 1];
  return { taken, next: following ? `${following.id} ` : null };
}

async function takeTemplate(made: MadeThings, item: Item, tell: Told): Promise<void> {
  const { name, alias, from, subject, reply_to, html, text, status } = item;
  const replyTo = (Array.isArray(reply_to) ? reply_to : [reply_to]).flatMap((one) => textOf(one) ?? []);
  const content = {
    name: textOf(name) ?? String(item.id),
    ...{ from: textOf(from), subject: textOf(subject), replyTo },
    ...{ html: textOf(html) ?? '', text: textOf(text), variables: variablesOf(item) },
  };
  const isNew = await made.putVersioned(textOf(alias), content, status === 'published');
  if (isNew) tell(`  ${content.name}: ${status === 'published' ? 'published' : 'a draft'}`);
}

function variablesOf({ variables }: Item): TemplateVariable[] {
  const now = Date.now();
  return itemsOf(variables).flatMap(({ id, key, type, fallback_value }) => {
    const known = variableTypes.find((one) => one === type) ?? 'string';
    const fallback = isOfType(fallback_value, known) ? fallback_value : null;
    if (typeof key !== 'string' || !isVariableKey(key)) return [];
    return [{ id: textOf(id) ?? key, key, type: known, fallback, createdAt: now, updatedAt: now }];
  });
}

/** With keys of our own: those there never leave the service. */
async function takeDomains(made: MadeThings, items: Item[], tell: Told): Promise<void> {
  for (const { name, region } of items) {
    const domain = parseDomain(String(name ?? ''));
    if (domain !== null) await putDomain(made, domain, textOf(region) ?? 'us-east-1', tell);
  }
}
