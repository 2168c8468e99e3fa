/** `params.items.0.price|floatformat:2`: one value and its filters, read and evaluated by liquidjs. */

import { createRequire } from 'node:module';
import type { Context, FilteredValueToken, Liquid } from 'liquidjs';
import { filters } from './filters.ts';
import { isRecord, type Rendering, SafeText, TemplateFault } from './value.ts';

type Library = typeof import('liquidjs');

export type Expression = (run: Rendering) => unknown;

/** @throws TemplateFault, or an error of liquidjs */
export function parseExpression(text: string): Expression {
  const { library, liquid } = engine();
  if (text.trim() === '') throw new TemplateFault('a value is missing');
  if (text.trimEnd().endsWith('|')) throw new TemplateFault('a filter is missing after "|"');
  if (!quotesClose(text)) throw new TemplateFault('a quote is never closed');
  // Without operators: those of conditions are read by template-condition.ts, elsewhere Django has none.
  const token = new library.Tokenizer(text, {}).readFilteredValue();
  if (token.initial.postfix.length !== 1) throw new TemplateFault('one value is expected, and here are several');
  checkFilters(token);
  const value = new library.Value(token, liquid);
  return (run) => plain(library.toValueSync(value.value(run.context)));
}

/** What a rendering looks values up in: own members of `scope` only, nothing of JavaScript's. */
export function createContext(scope: Readonly<Record<string, unknown>>): Context {
  const { library, liquid } = engine();
  const context = new library.Context({ ...constants, ...scope }, liquid.options, { sync: true }, { liquid });
  context.readProperty = readOwn;
  return context;
}

/** The rendering a context belongs to, for the filters. */
const renderingRegister = 'rendering';

export function bindRendering(run: Rendering): void {
  run.context.setRegister(renderingRegister, run);
}

/** Liquid knows only the lower-case ones. */
const constants = { True: true, False: false, None: null };

/** Liquid would call functions and answer `size`, `first` and `last` where there is no such member. */
function readOwn(holder: unknown, key: unknown): unknown {
  if (typeof holder === 'string') return holder[Number(key)];
  if (!Array.isArray(holder) && !isRecord(holder)) return undefined;
  const name = String(key);
  if (Array.isArray(holder) && name === 'length') return undefined;
  return Object.hasOwn(holder, name) ? (holder as Record<string, unknown>)[name] : undefined;
}

function checkFilters(token: FilteredValueToken): void {
  for (const { name, args } of token.filters) {
    const filter = filters.get(name);
    if (!filter) throw new TemplateFault(`there is no filter "${name}"`);
    if (args.some((arg) => Array.isArray(arg)) || args.length > 1 || (filter.takes === 'nothing' && args.length > 0)) {
      throw new TemplateFault(
        `the filter "${name}" takes ${filter.takes === 'nothing' ? 'no argument' : 'one argument'}`,
      );
    }
    if (filter.takes === 'one' && args.length === 0) throw new TemplateFault(`the filter "${name}" needs an argument`);
  }
}

/** Liquid's literals `nil`, `empty` and `blank` are objects of its own: nothing, here. */
function plain(value: unknown): unknown {
  const isOurs = typeof value !== 'object' || Array.isArray(value) || isRecord(value) || value instanceof SafeText;
  return isOurs ? value : null;
}

function quotesClose(text: string): boolean {
  let open = '';
  for (let at = 0; at < text.length; at++) {
    const character = text[at];
    if (open !== '' && character === '\\') at++;
    else if (character === open) open = '';
    else if (open === '' && (character === '"' || character === "'")) open = character;
  }
  return open === '';
}

let loaded: { library: Library; liquid: Liquid } | undefined;

/** Loaded when the first template is read: most servers never see one, and it takes as long as SQLite. */
function engine(): { library: Library; liquid: Liquid } {
  loaded ??= start(createRequire(import.meta.url)('liquidjs') as Library);
  return loaded;
}

/** Nothing of Liquid's own but its syntax of values: no tags, no filters, no files. */
function start(library: Library): { library: Library; liquid: Liquid } {
  const liquid = new library.Liquid({ strictFilters: true, ownPropertyOnly: true, memoryLimit: rangeLengthMax });
  for (const tag of Object.keys(liquid.tags)) delete liquid.tags[tag];
  for (const name of Object.keys(liquid.filters)) liquid.unregisterFilter(name);
  for (const [name, filter] of filters) {
    liquid.registerFilter(name, function (value, argument) {
      const run = this.context.getRegister<Rendering>(renderingRegister);
      return filter.apply(plain(value), plain(argument), run);
    });
  }
  return { library, liquid };
}

/** Of `(1..5)`, the one thing in which liquidjs makes more than it was given. */
const rangeLengthMax = 10_000;
