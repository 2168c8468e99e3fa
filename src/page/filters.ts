/** What the list of emails is narrowed to: fields of a form, and the address bar that brings them back. */

import { uuidv7Floor } from '../core/token.ts';
import { type Condition, parseSearch, type Search, searchStates } from '../store/page/search-query.ts';

export type Filters = {
  /** Typed freely: recipients, words, `tag:` and `is:`. */
  q: string;
  status: string;
  to: string;
  tag: string;
  /** Days in UTC, `YYYY-MM-DD`, both included. */
  from: string;
  until: string;
};

const names = ['q', 'status', 'to', 'tag', 'from', 'until'] as const satisfies (keyof Filters)[];
const dayMs = 24 * 60 * 60_000;

export function readFilters(query: Record<string, string>): Filters {
  const [q = '', status = '', to = '', tag = '', from = '', until = ''] = names.map((name) =>
    (query[name] ?? '').trim(),
  );
  return {
    q,
    status: searchStates.some((one) => one === status) ? status : '',
    to,
    tag,
    from: dayOf(from),
    until: dayOf(until),
  };
}

function dayOf(text: string): string {
  return /^\d{4}-\d\d-\d\d$/.test(text) && !Number.isNaN(Date.parse(text)) ? text : '';
}

/** As the address bar has it; `more` is where a page goes on. */
export function queryOf(filters: Filters, more: Record<string, string> = {}): string {
  const set = names.filter((name) => filters[name] !== '').map((name): [string, string] => [name, filters[name]]);
  const text = new URLSearchParams([...set, ...Object.entries(more)]).toString();
  return text === '' ? '' : `?${text}`;
}

export function isFiltered(filters: Filters): boolean {
  return names.some((name) => filters[name] !== '');
}

/** Null where what was typed can be nothing; an id where one was typed. */
export function searchOf({ q, status, to, tag }: Filters): Search | null {
  const typed = q === '' ? null : parseSearch(q);
  if (typed?.kind === 'email') return typed;
  if (q !== '' && typed === null) return null;
  const more = [status && `is:${status}`, to && `to:${quoted(to)}`, tag && `tag:${quoted(tag)}`].filter(Boolean);
  const chosen = parseSearch(more.join(' '));
  const conditions: Condition[] = [typed, chosen].flatMap((one) => (one?.kind === 'terms' ? one.conditions : []));
  return { kind: 'terms', conditions };
}

/** One word is a beginning, as in the search; what has spaces is meant whole. */
function quoted(text: string): string {
  return /\s/.test(text) ? `"${text.replaceAll('"', '')}"` : text;
}

/** Ids between which emails of these days lie: the first that may, and the first that does not any more. */
export function boundsOf({ from, until }: Filters): { first: string; end: string | null } {
  return {
    first: from === '' ? '' : uuidv7Floor(Date.parse(from)),
    end: until === '' ? null : uuidv7Floor(Date.parse(until) + dayMs),
  };
}
