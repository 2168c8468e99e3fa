/** The filters a template may use, named and behaving as Django's (docs.djangoproject.com/en/stable/ref/templates/builtins). */

import { formatDate } from './date.ts';
import {
  escapeHtml,
  isRecord,
  isTrue,
  lengthOf,
  numberOf,
  type Rendering,
  SafeText,
  TemplateFault,
  textOf,
} from './value.ts';

export type Filter = {
  takes: 'nothing' | 'one' | 'optional';
  /** Counts its work with `run`; values are JSON values or SafeText. */
  apply: (value: unknown, argument: unknown, run: Rendering) => unknown;
};

export const filters: ReadonlyMap<string, Filter> = new Map<string, Filter>([
  ['default', onValue('one', (value, fallback) => (isTrue(value) ? value : fallback))],
  ['default_if_none', onValue('one', (value, fallback) => value ?? fallback)],
  ['upper', onText('nothing', (text) => text.toUpperCase())],
  ['lower', keepingSafe(onText('nothing', (text) => text.toLowerCase()))],
  ['title', keepingSafe(onText('nothing', toTitle))],
  ['capfirst', keepingSafe(onText('nothing', capitalize))],
  ['truncatechars', onText('one', truncateCharacters)],
  ['truncatewords', onText('one', truncateWords)],
  ['floatformat', onText('optional', formatFloat)],
  ['intcomma', onText('nothing', groupThousands)],
  ['length', onValue('nothing', countOf)],
  ['wordcount', onText('nothing', (text) => text.split(/\s+/).filter((word) => word !== '').length)],
  ['first', onValue('nothing', (value) => elementsOf(value)[0])],
  ['last', onValue('nothing', (value) => elementsOf(value).at(-1))],
  ['join', { takes: 'one', apply: join }],
  ['slice', onValue('one', slice)],
  ['date', onValue('optional', (value, format) => formatDate(bare(value), textOf(format ?? 'N j, Y')) ?? value)],
  ['time', onValue('optional', (value, format) => formatDate(bare(value), textOf(format ?? 'P')) ?? value)],
  ['add', onValue('one', add)],
  ['cut', onText('one', (text, part) => text.replaceAll(textOf(part), ''))],
  ['divisibleby', onValue('one', (value, by) => (numberOf(value) ?? Number.NaN) % (numberOf(by) ?? Number.NaN) === 0)],
  ['pluralize', onValue('optional', pluralize)],
  ['yesno', onValue('optional', yesNo)],
  [
    'urlencode',
    onText('nothing', (text) => encodeURIComponent(text.replace(/\p{Cs}/gu, '\ufffd')).replaceAll('%2F', '/')),
  ],
  ['striptags', onText('nothing', (text) => text.replace(/<[^<>]*>/g, ''))],
  ['linebreaksbr', onSafe((text) => text.replace(/\r\n|\r|\n/g, '<br>'))],
  ['escape', onSafe((text) => text)],
  ['force_escape', onText('nothing', (text) => new SafeText(escapeHtml(text)))],
  ['safe', onText('nothing', (text) => new SafeText(text))],
]);

type Apply = (value: unknown, argument: unknown) => unknown;
type ApplyText = (text: string, argument: unknown) => unknown;

/** Looks at any value and lets it through, or one of its parts, as it is. */
function onValue(takes: Filter['takes'], apply: Apply): Filter {
  return {
    takes,
    apply: (value, argument, run) => {
      run.spend(lengthOf(value));
      const made = apply(value, argument);
      run.spend(lengthOf(made));
      return made;
    },
  };
}

/** Makes a new text of what the value prints as; what was safe is so no more. */
function onText(takes: Filter['takes'], apply: ApplyText): Filter {
  return {
    takes,
    apply: (value, argument, run) => {
      const text = textOf(value);
      run.spend(text.length);
      const made = apply(text, argument);
      run.spend(lengthOf(made));
      return made;
    },
  };
}

/** Keeps safe what was safe: it only shortens, or changes the case of letters. */
function keepingSafe(filter: Filter): Filter {
  return {
    ...filter,
    apply: (value, argument, run) => {
      const made = filter.apply(value, argument, run);
      return value instanceof SafeText && typeof made === 'string' ? new SafeText(made) : made;
    },
  };
}

/** Escapes once, whatever the output, and makes HTML of the result. */
function onSafe(apply: (html: string) => string): Filter {
  return {
    takes: 'nothing',
    apply: (value, _, run) => {
      const html = value instanceof SafeText ? value.text : escapeHtml(textOf(value));
      run.spend(html.length);
      return new SafeText(apply(html));
    },
  };
}

function bare(value: unknown): unknown {
  return value instanceof SafeText ? value.text : value;
}

/** Django's words: letters and digits, and what follows an apostrophe belongs to the word. */
function toTitle(text: string): string {
  return text.toLowerCase().replace(/[\p{L}\p{N}\p{M}'’]+/gu, capitalize);
}

function capitalize(text: string): string {
  const [first = ''] = text;
  return first.toUpperCase() + text.slice(first.length);
}

/** The ellipsis counts. */
function truncateCharacters(text: string, argument: unknown): string {
  const count = wholeNumber(argument);
  if (count === null || text.length <= count) return text;
  const characters = [...text];
  if (characters.length <= count) return text;
  return count < 1 ? '' : `${characters.slice(0, count - 1).join('')}…`;
}

function truncateWords(text: string, argument: unknown): string {
  const count = wholeNumber(argument);
  const words = text.split(/\s+/).filter((word) => word !== '');
  return count === null || words.length <= count ? text : `${words.slice(0, Math.max(0, count)).join(' ')} …`;
}

/** More digits than a double has. */
const digitsMax = 20;

/**
 * `2`: two decimals. `-2`: two, or none where there is nothing to show. Without: -1. With `g`: thousands are grouped.
 * Half is rounded away from zero on the decimal digits one sees, not on the binary ones.
 */
function formatFloat(text: string, argument: unknown): string {
  const number = numberOf(text);
  if (number === null) return '';
  const form = /^(-?\d{1,4})?(g?)u?$/.exec(textOf(argument ?? '-1'));
  if (!form) return text;
  const places = Number(form[1] ?? -1);
  const isWhole = Number.isInteger(number) && places < 0;
  const rounded = roundTo(number, isWhole ? 0 : Math.min(Math.abs(places), digitsMax));
  return form[2] === 'g' ? groupThousands(rounded) : rounded;
}

function roundTo(number: number, places: number): string {
  const digits = String(Math.abs(number));
  // Beyond 1e21 and below 1e-6 JavaScript writes exponents itself.
  if (digits.includes('e')) return number.toFixed(places);
  const shifted = Number(`${digits}e${places}`);
  // Without binary digits behind the point there is nothing to round.
  if (shifted > Number.MAX_SAFE_INTEGER) return number.toFixed(places);
  const rounded = Number(`${Math.round(shifted)}e-${places}`);
  return `${number < 0 && rounded !== 0 ? '-' : ''}${rounded.toFixed(places)}`;
}

function groupThousands(text: string): string {
  const [, sign = '', whole, rest = ''] = /^(-?)(\d{1,400})(\.\d*)?$/.exec(text) ?? [];
  return whole === undefined ? text : sign + whole.replace(/\B(?=(?:\d{3})+$)/g, ',') + rest;
}

/** Characters, elements or members. */
function countOf(value: unknown): number {
  const text = bare(value);
  return typeof text === 'string' ? [...text].length : lengthOf(value);
}

function elementsOf(value: unknown): readonly unknown[] {
  if (Array.isArray(value)) return value;
  const text = bare(value);
  return typeof text === 'string' ? [...text] : [];
}

/** Parts are escaped where the output is; the separator is the author's. */
function join(value: unknown, separator: unknown, run: Rendering): unknown {
  if (!Array.isArray(value)) return value;
  const between = textOf(separator);
  run.spend(value.length * (1 + between.length));
  const parts = value.map(textOf);
  run.spend(parts.reduce((length, part) => length + part.length, 0));
  return parts.join(between);
}

/** Python's `from:to`, without a step. */
function slice(value: unknown, argument: unknown): unknown {
  const form = /^(-?\d{1,9})?:(-?\d{1,9})?$/.exec(textOf(argument).trim());
  const elements = elementsOf(value);
  if (!form || elements.length === 0) return value;
  const from = form[1] === undefined ? 0 : Number(form[1]);
  const cut = elements.slice(from, form[2] === undefined ? undefined : Number(form[2]));
  return Array.isArray(value) ? cut : cut.join('');
}

/** Numbers are added, lists and texts are put one after the other. */
function add(value: unknown, argument: unknown): unknown {
  const [a, b] = [numberOf(value), numberOf(argument)];
  if (a !== null && b !== null) return a + b;
  if (Array.isArray(value) || Array.isArray(argument) || isRecord(value) || isRecord(argument)) {
    throw new TemplateFault('"add" adds numbers or texts');
  }
  return textOf(value) + textOf(argument);
}

/** `s`, or `y,ies`: one form for one, the other for all else. */
function pluralize(value: unknown, argument: unknown): string {
  const forms = textOf(argument ?? 's').split(',');
  const [one, many] = forms.length > 1 ? forms : ['', forms[0]];
  const count = numberOf(value) ?? (Array.isArray(value) ? value.length : 1);
  return (count === 1 ? one : many) ?? '';
}

/** `yes,no,maybe`: for true, false and nothing. */
function yesNo(value: unknown, argument: unknown): string {
  const [yes = '', no = '', maybe = no] = textOf(argument ?? 'yes,no,maybe').split(',');
  if (value === null || value === undefined) return maybe;
  return isTrue(value) ? yes : no;
}

function wholeNumber(argument: unknown): number | null {
  const number = numberOf(argument);
  return number === null || !Number.isInteger(number) ? null : number;
}
