/** Values as a template sees them: what is printed, what counts as true, what is equal; and what one rendering may cost. */

import type { Variables } from './variables.ts';

/** What is wrong with a template, told at its place. */
export class TemplateFault extends Error {
  override readonly name = 'TemplateFault';
  /** Where in the source; null where whoever catches it knows better. */
  readonly at: number | null;

  constructor(message: string, at: number | null = null) {
    super(message);
    this.at = at;
  }
}

/** Text that is HTML already and is printed as it is. */
export class SafeText {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

/**
 * What rendering may cost, counted instead of timed so that the same template always gets the same answer.
 * A unit is about a character touched; several renderings of one request may share a budget.
 */
export class Budget {
  #left: number;

  constructor(units: number) {
    this.#left = units;
  }

  spend(units: number): void {
    this.#left -= units;
    if (this.#left < 0) throw new TemplateFault('rendering takes too much work: fewer or shorter loops, please');
  }
}

/** What a tag or a value costs beside its characters; measured against copying them. */
const stepUnits = 50;

/** Looking one name up, measured the same way. */
const walkUnits = 10;

/** One rendering under way: where it is, what it has written, whether it escapes. */
export class Rendering {
  /** Where in the source the part being rendered begins. */
  at = 0;
  escapes: boolean;
  readonly variables: Variables;
  readonly #budget: Budget;
  readonly #lengthMax: number;
  #chunks: string[] = [];
  #length = 0;

  constructor(variables: Variables, options: { escapes: boolean; budget: Budget; lengthMax: number }) {
    this.variables = variables;
    this.escapes = options.escapes;
    this.#budget = options.budget;
    this.#lengthMax = options.lengthMax;
  }

  /** Counts a step that touches so many characters. */
  spend(characters: number): void {
    this.#budget.spend(stepUnits + characters);
  }

  /** Counts the steps from a name to its value. */
  walk(steps: number): void {
    this.#budget.spend(steps * walkUnits);
  }

  write(text: string): void {
    this.spend(text.length);
    this.#length += text.length;
    if (this.#length > this.#lengthMax) {
      throw new TemplateFault(`what it renders has more than ${this.#lengthMax} characters`);
    }
    this.#chunks.push(text);
  }

  print(value: unknown): void {
    const text = textOf(value);
    this.write(this.escapes && !(value instanceof SafeText) ? escapeHtml(text) : text);
  }

  written(): string {
    return this.#chunks.join('');
  }
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  const prototype = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

/** Nothing for what is missing, `True` and `False` as Django prints them, JSON for lists and objects. */
export function textOf(value: unknown): string {
  if (typeof value === 'string') return value;
  if (value instanceof SafeText) return value.text;
  if (value === null || value === undefined) return '';
  if (typeof value === 'boolean') return value ? 'True' : 'False';
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}

/** As in Django: nothing, zero and whatever is empty are false. */
export function isTrue(value: unknown): boolean {
  if (value instanceof SafeText) return value.text !== '';
  if (Array.isArray(value)) return value.length > 0;
  return isRecord(value) ? membersOf(value) > 0 : Boolean(value);
}

/** How many characters, elements or members; 0 for what has none. */
export function lengthOf(value: unknown): number {
  if (typeof value === 'string') return value.length;
  if (value instanceof SafeText) return value.text.length;
  if (Array.isArray(value)) return value.length;
  return isRecord(value) ? membersOf(value) : 0;
}

/** Counted once: what a template looks at does not change, and V8 lists all the names of an object to tell whether there is one. */
function membersOf(value: Record<string, unknown>): number {
  const known = counted.get(value);
  if (known !== undefined) return known;
  const count = Object.keys(value).length;
  counted.set(value, count);
  return count;
}

const counted = new WeakMap<object, number>();

/** Longer than any number a template means; what a double can hold has at most 309 digits before its point. */
const numberLengthMax = 400;

const decimal = /^\s*[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:e[+-]?\d{1,3})?\s*$/i;

/** Finite, or null: numbers, and texts that are one. */
export function numberOf(value: unknown): number | null {
  if (typeof value === 'number') return Number.isFinite(value) ? value : null;
  const text = value instanceof SafeText ? value.text : value;
  if (typeof text !== 'string' || text.length > numberLengthMax || !decimal.test(text)) return null;
  const number = Number(text);
  return Number.isFinite(number) ? number : null;
}

export function isEqual(left: unknown, right: unknown): boolean {
  return comparable(left) === comparable(right);
}

/** Negative, zero or positive; null where there is no order. A number and a text that is one compare as numbers. */
export function compare(left: unknown, right: unknown): number | null {
  const [a, b] = [comparable(left), comparable(right)];
  if (typeof a === 'string' && typeof b === 'string') return a < b ? -1 : Number(a > b);
  const [x, y] = [numberOf(a), numberOf(b)];
  return x === null || y === null ? null : x - y;
}

/** A part of a text, an element of a list, a member of an object. */
export function contains(whole: unknown, part: unknown): boolean {
  if (Array.isArray(whole)) return whole.some((element) => isEqual(element, part));
  if (isRecord(whole)) return Object.hasOwn(whole, textOf(part));
  return whole === null || whole === undefined ? false : textOf(whole).includes(textOf(part));
}

export function escapeHtml(text: string): string {
  return /[&<>"']/.test(text) ? text.replace(/[&<>"']/g, (character) => entities[character] ?? character) : text;
}

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#x27;',
};

function comparable(value: unknown): unknown {
  return value instanceof SafeText ? value.text : (value ?? null);
}
