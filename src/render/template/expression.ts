/** `params.items.0.price|floatformat:2`: one value and its filters. Read from left to right, each character once. */

import { type Filter, filters } from './filters.ts';
import { isRecord, type Rendering, TemplateFault } from './value.ts';

export type Expression = (run: Rendering) => unknown;

/** @throws TemplateFault */
export function parseExpression(text: string): Expression {
  return new Reader(text).whole();
}

const space = /\s*/y;
const name = /[\p{L}\p{N}_-]+/uy;
const number = /[+-]?\d+(?:\.\d*)?(?![\p{L}\p{N}_.[-])/uy;
const quoted = /"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'/sy;
const literals: ReadonlyMap<string, unknown> = new Map<string, unknown>([
  ...(['True', 'true'] as const).map((word) => [word, true] as const),
  ...(['False', 'false'] as const).map((word) => [word, false] as const),
  ...(['None', 'nil', 'null', 'empty', 'blank'] as const).map((word) => [word, null] as const),
]);

/** Brackets within brackets: deeper than anybody writes. */
const depthMax = 20;

class Reader {
  readonly #text: string;
  #at = 0;
  #depth = 0;

  constructor(text: string) {
    this.#text = text;
  }

  whole(): Expression {
    let value = this.#value();
    while (this.#takes('|')) value = this.#filtered(value);
    if (this.#rest() === '') return value;
    if (/^["'\p{L}\p{N}_]/u.test(this.#rest())) throw new TemplateFault('one value is expected, and here are several');
    throw new TemplateFault(`expected "|" before ${JSON.stringify(this.#rest().slice(0, 10))}`);
  }

  #filtered(value: Expression): Expression {
    const word = this.#match(name);
    if (word === null) throw new TemplateFault('a filter is missing after "|"');
    const filter = filters.get(word);
    if (!filter) throw new TemplateFault(`there is no filter "${word}"`);
    const argument = this.#takes(':') ? this.#value() : null;
    if (this.#takes(',') || this.#takes(':') || (argument && filter.takes === 'nothing')) {
      throw new TemplateFault(
        `the filter "${word}" takes ${filter.takes === 'nothing' ? 'no argument' : 'one argument'}`,
      );
    }
    if (!argument && filter.takes === 'one') throw new TemplateFault(`the filter "${word}" needs an argument`);
    return applied(filter, value, argument);
  }

  #value(): Expression {
    this.#match(space);
    const text = this.#match(quoted);
    if (text !== null) return constant(unquoted(text));
    const digits = this.#match(number);
    if (digits !== null) return constant(Number(digits));
    // `{{ .name }}` is another language's; it prints nothing here, and always has.
    const root = this.#match(name) ?? (this.#rest().startsWith('.') ? '' : null);
    if (root === null) throw new TemplateFault(this.#missingValue());
    const keys = this.#keys();
    return keys.length === 0 && literals.has(root) ? constant(literals.get(root)) : path(root, keys);
  }

  #missingValue(): string {
    return /^["']/.test(this.#rest()) ? 'a quote is never closed' : 'a value is missing';
  }

  /** `.title`, `[0]`, `["two words"]`, `[params.key]`, as many as follow. */
  #keys(): Expression[] {
    const keys: Expression[] = [];
    for (;;) {
      if (this.#text[this.#at] === '.') keys.push(this.#member());
      else if (this.#text[this.#at] === '[') keys.push(this.#element());
      else return keys;
    }
  }

  #member(): Expression {
    this.#at++;
    const key = this.#match(name);
    if (key === null) throw new TemplateFault('a name is missing after "."');
    return constant(key);
  }

  #element(): Expression {
    if (++this.#depth > depthMax) throw new TemplateFault('brackets are nested too deeply');
    this.#at++;
    const key = this.#value();
    if (!this.#takes(']')) throw new TemplateFault('a bracket is never closed');
    this.#depth--;
    return key;
  }

  #takes(character: string): boolean {
    this.#match(space);
    if (this.#text[this.#at] !== character) return false;
    this.#at++;
    return true;
  }

  /** What stands here, white space before it aside; null where it is something else. */
  #match(pattern: RegExp): string | null {
    space.lastIndex = this.#at;
    pattern.lastIndex = space.test(this.#text) ? space.lastIndex : this.#at;
    const found = pattern.exec(this.#text);
    if (!found) return null;
    this.#at = pattern.lastIndex;
    return found[0];
  }

  #rest(): string {
    return this.#text.slice(this.#at).trim();
  }
}

function constant(value: unknown): Expression {
  return () => value;
}

function applied(filter: Filter, value: Expression, argument: Expression | null): Expression {
  return (run) => filter.apply(value(run), argument?.(run), run);
}

function path(root: string, keys: readonly Expression[]): Expression {
  return (run) => {
    run.walk(1 + keys.length);
    let value = run.variables.find(root);
    for (const key of keys) value = member(value, key(run));
    return value;
  };
}

/** Own members only: nothing of JavaScript's is there. */
function member(holder: unknown, key: unknown): unknown {
  if (typeof key !== 'string' && typeof key !== 'number') return undefined;
  if (typeof holder === 'string') return holder[Number(key)];
  if (Array.isArray(holder)) return key === 'length' || !Object.hasOwn(holder, key) ? undefined : holder[Number(key)];
  return isRecord(holder) && Object.hasOwn(holder, key) ? holder[key] : undefined;
}

const escapes: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t' };

function unquoted(text: string): string {
  return text.slice(1, -1).replace(/\\(.)/gs, (_, escaped: string) => escapes[escaped] ?? escaped);
}
