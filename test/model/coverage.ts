/** What a set of programs has met: each edge taken, each edge refused, each kind of answer of each use case. */

import type { EdgeName } from '../../src/core/delivery.ts';
import { edgeNames } from '../support/delivery-row.ts';

/** Every kind of answer there is to each use case, as far as one request at a time can get it. */
const answers = {
  accept: ['accepted', 'nothing', 'invalid', 'replay', 'conflict', 'conflict unexplained', 'expired'],
  cancel: ['canceled', 'again', 'not_found', 'in_doubt', 'handoff', 'sent', 'seen', 'not sent'],
  reschedule: ['moved', 'not_found', 'in_doubt', 'handoff', 'sent', 'seen', 'canceled', 'not sent', 'half'],
  'key of a rescheduled mail': ['moved', 'expired'],
  'answer doubt': ['settled', 'too late', 'none'],
  'take an answer back': ['taken back', 'too late'],
  'answer all doubts': ['some', 'none'],
  hold: ['some', 'none'],
  claim: ['some', 'none', 'bound'],
  release: ['some', 'none'],
  'forgotten claims': ['some', 'none'],
  'forgotten hand-offs': ['some', 'none'],
  'lost hand-offs': ['some', 'none'],
  sift: ['some', 'all', 'nobody', 'lost'],
  gate: ['whole', 'split', 'lost'],
  refused: ['waits', 'split', 'over', 'lost'],
  verdict: ['at once', 'late', 'lost'],
  simulated: ['ours', 'lost'],
  beat: ['steady', 'first'],
  recover: ['some', 'none', 'held'],
  'send again': ['some', 'none'],
  leases: ['some', 'none'],
  suppress: ['made', 'known'],
  unsuppress: ['removed', 'unknown'],
  'unsuppress bounces': ['some', 'none'],
  'learn of bounces': ['made', 'known'],
  'take a notice': ['told', 'known', 'nobody'],
  'make webhook': ['made', 'again', 'gone', 'too many'],
  'change webhook': ['changed', 'gone'],
  'rotate secret': ['rotated', 'gone'],
  'delete webhook': ['deleted', 'gone'],
  tell: ['enabled', 'disabled', 'each recipient'],
  'collect keys': ['some', 'none'],
  'flush key uses': ['some', 'gone'],
  'purge log': ['last', 'one of them', 'open', 'missing'],
  purge: ['some', 'none'],
} as const;

export type UseCase = keyof typeof answers;
export type AnswerOf<Name extends UseCase> = (typeof answers)[Name][number];

export class Coverage {
  readonly #seen = new Map<string, number>();

  answered<Name extends UseCase>(name: Name, kind: AnswerOf<Name>): void {
    this.#count(`${name}: ${kind}`);
  }

  edge(name: EdgeName, isTaken: boolean): void {
    this.#count(edgeText(name, isTaken));
  }

  /** By name, in the order of the tables. */
  missing(): string[] {
    return wanted.filter((one) => !this.#seen.has(one));
  }

  /** A line for each edge and each use case. */
  table(): string[] {
    const of = (text: string) => this.#seen.get(text) ?? 0;
    const edges = edgeNames.map(
      (name) => `${name}: ${of(edgeText(name, true))} taken, ${of(edgeText(name, false))} refused`,
    );
    const cases = Object.entries(answers).map(
      ([name, kinds]) => `${name}: ${kinds.map((kind) => `${of(`${name}: ${kind}`)} ${kind}`).join(', ')}`,
    );
    return [...edges, ...cases];
  }

  #count(text: string): void {
    this.#seen.set(text, (this.#seen.get(text) ?? 0) + 1);
  }
}

function edgeText(name: EdgeName, isTaken: boolean): string {
  return `edge ${name} ${isTaken ? 'taken' : 'refused'}`;
}

const wanted = [
  ...edgeNames.flatMap((name) => [edgeText(name, true), edgeText(name, false)]),
  ...Object.entries(answers).flatMap(([name, kinds]) => kinds.map((kind) => `${name}: ${kind}`)),
];
