/** What the list of emails is narrowed to: fields of a form, and the address bar that brings them back. */

import { uuidv7Floor } from '../../core/token.ts';
import { type Condition, parseSearch, type Search, searchStates } from '../../store/page/search-query.ts';

export type Filters = {
  /** Typed freely: recipients, words, `tag:` and `is:`. */
  q: string;
  status: string;
  to: string;
  /** An address, or how one begins. */
  sender: string;
  /** The name of one. */
  relay: string;
  tag: string;
  /** Another account than one's own: for whoever runs the server. */
  account: string;
  /** Days in UTC, `YYYY-MM-DD`, both included. */
  from: string;
  until: string;
};

const names = [
  'q',
  'status',
  'to',
  'sender',
  'relay',
  'tag',
  'account',
  'from',
  'until',
] as const satisfies (keyof Filters)[];
const dayMs = 24 * 60 * 60_000;

export function readFilters(query: Record<string, string>): Filters {
  const given = Object.fromEntries(names.map((name) => [name, (query[name] ?? '').trim()])) as Filters;
  const { status, from, until } = given;
  return {
    ...given,
    status: searchStates.some((one) => one === status) ? status : '',
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

/** Whether what is asked for rests on who sent it, or on the relay that took it. */
export function namesSender({ q, sender, relay }: Filters): boolean {
  return sender !== '' || relay !== '' || /(?:^|\s)(?:from|via):/i.test(q);
}

export function isFiltered(filters: Filters): boolean {
  return names.some((name) => filters[name] !== '');
}

/** What may be asked about the emails of another account: nothing that says whom they name, or what they say. */
export function tellingNothing({ status, relay, account, from, until }: Filters): Filters {
  return { q: '', status, to: '', sender: '', relay, tag: '', account, from, until };
}

/** Null where what was typed can be nothing; an id where one was typed. */
export function searchOf({ q, status, to, sender, relay, tag }: Filters): Search | null {
  const typed = q === '' ? null : parseSearch(q);
  if (typed?.kind === 'email') return typed;
  if (q !== '' && typed === null) return null;
  const fields = { is: status, to, from: sender, via: relay, tag };
  const more = Object.entries(fields).filter(([, text]) => text !== '');
  const chosen = parseSearch(more.map(([name, text]) => `${name}:${quoted(text)}`).join(' '));
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
