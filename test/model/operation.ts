/** One step of a program as data: what is done, with which choices; whom it is done to is looked up when its turn comes. */

import fc from 'fast-check';
import type { Engine } from './engine.ts';
import type { Model } from './model.ts';

export type Step = {
  /** Does it to the model. */
  expected: () => unknown;
  act: (engine: Engine) => unknown;
  /** Moves many, of whatever emails: what is told of them comes in no order. */
  isUnordered?: boolean;
};

export class Operation {
  readonly #text: string;
  /** Null: there is nothing yet to do it to. */
  readonly of: (model: Model) => Step | null;

  constructor(text: string, of: (model: Model) => Step | null) {
    this.#text = text;
    this.of = of;
  }

  toString(): string {
    return this.#text;
  }

  [fc.toStringMethod](): string {
    return this.#text;
  }
}

export type Weighted = { weight: number; arbitrary: fc.Arbitrary<Operation> };

/** `step` is told its choices and the model as it is by then. */
export function operation<Choices>(
  name: string,
  weight: number,
  choices: { [Name in keyof Choices]: fc.Arbitrary<Choices[Name]> },
  step: (choices: Choices, model: Model) => Step | null,
): Weighted {
  const toOperation = (chosen: Choices) =>
    new Operation(`${name} ${fc.stringify(chosen)}`, (model) => step(chosen, model));
  return { weight, arbitrary: fc.record<Choices>(choices as never).map((chosen) => toOperation(chosen as Choices)) };
}

/** Mostly the newest, so that programs get somewhere. */
export const recent = fc.constantFrom(0, 0, 0, 0, 1, 1, 2, 3, 5);

export function pick<T>(list: readonly T[], index: number): T | undefined {
  return list[list.length - 1 - (index % list.length)];
}

export const minuteMs = 60_000;
export const hourMs = 60 * minuteMs;
export const dayMs = 24 * hourMs;
