/** Random programs, a step at a time through the model and each engine: equal answers to each step, and equal tables after it. */

import assert from 'node:assert/strict';
import fc from 'fast-check';
import { AppError } from '../../src/core/error.ts';
import type { Database } from '../../src/store/database.ts';
import { Coverage } from './coverage.ts';
import { Engine } from './engine.ts';
import { Model } from './model.ts';
import { firstMoment, type Operation, programs, type Step } from './programs.ts';
import { lookAt, type Snapshot } from './snapshot.ts';

export type RunOptions = {
  databases: Record<string, Database>;
  count: number;
  seed: number;
  /** Where fast-check says a failure can be found again. */
  path?: string | undefined;
  /** False where a failure is what is wanted, and the shortest one of no interest. */
  shrinks?: boolean;
  /** The tables of an engine are looked into after so many steps, and after the last one of a program; after each where it is not said. */
  stepsBetweenLooks?: Record<string, number>;
  /** Goes on with the next seeds until every edge was taken and every refusal met. */
  isWhole?: boolean;
  /** Told after each program. */
  onProgram?: (done: number) => void;
};

export type Ran = { coverage: Coverage; programs: number; steps: number; msOf: Record<string, number> };

const drawnMax = 10_000;

/** @throws Error with the shortest program found in which somebody differs, its seed and its path. */
export async function runPrograms(options: RunOptions): Promise<Ran> {
  const { databases, count, seed, path, shrinks = true, isWhole = false, onProgram } = options;
  const ran: Ran = { coverage: new Coverage(), programs: 0, steps: 0, msOf: {} };
  const clock = { now: firstMoment };
  const engines = Object.entries(databases).map(([name, database]) => new Engine(name, database, () => clock.now));
  const looks = new Looks(options.stepsBetweenLooks ?? {});
  for (const engine of engines) await engine.prepare();
  let done = 0;
  const check = (some: Engine[], numRuns: number, from: number, at?: string) => {
    const property = fc.asyncProperty(programs, async (program) => {
      await runProgram(program, some, { clock, ran, looks });
      done += 1;
      onProgram?.(done);
    });
    return fc.assert(property, { numRuns, seed: from, path: at, endOnFailure: !shrinks, includeErrorInReport: true });
  };
  await check(engines, count, seed, path);
  if (isWhole) done += await meetTheRest(engines.slice(0, 1), seed, { clock, ran, looks });
  ran.programs = done;
  return ran;
}

/** What is rare is looked for with the model alone, which is quick: only the programs that meet it run on an engine. */
async function meetTheRest(engines: Engine[], seed: number, terms: Terms): Promise<number> {
  const { clock, ran, looks } = terms;
  let [missing, done] = [ran.coverage.missing(), 0];
  for (let drawn = 0; drawn < drawnMax && missing.length > 0; drawn++) {
    const [program = []] = fc.sample(programs, { numRuns: 1, seed: seed + 1 + drawn });
    const alone: Ran = { coverage: new Coverage(), programs: 0, steps: 0, msOf: {} };
    await runProgram(program, [], { clock, looks, ran: alone });
    const unmet = new Set(alone.coverage.missing());
    if (missing.every((one) => unmet.has(one))) continue;
    await runProgram(program, engines, terms);
    done += 1;
    missing = ran.coverage.missing();
  }
  return done;
}

type Terms = { clock: { now: number }; ran: Ran; looks: Looks };

async function runProgram(program: Operation[], engines: Engine[], { clock, ran, looks }: Terms): Promise<void> {
  clock.now = firstMoment;
  const model = new Model(firstMoment, ran.coverage);
  await Promise.all(engines.map((engine) => timed(ran, engine, () => engine.reset())));
  looks.begin(engines);
  for (const [index, operation] of program.entries()) {
    model.now += 1;
    clock.now = model.now;
    const step = operation.of(model);
    clock.now = model.now;
    if (!step) continue;
    ran.steps += 1;
    const expected = await answerOf(step.expected);
    const what = `step ${index + 1}: ${operation}`;
    await Promise.all(
      engines.map(async (engine) => {
        const answer = await timed(ran, engine, () => answerOf(() => step.act(engine)));
        assert.deepEqual(answer, expected, `${engine.name}, ${what}`);
        if (looks.isDue(engine, step)) await compareTables(engine, model, { ran, looks, what });
      }),
    );
  }
  const rest = engines.filter((engine) => looks.isBehind(engine));
  await Promise.all(rest.map((engine) => compareTables(engine, model, { ran, looks, what: 'the last step' })));
}

type Compare = Pick<Terms, 'ran' | 'looks'> & { what: string };

async function compareTables(engine: Engine, model: Model, { ran, looks, what }: Compare): Promise<void> {
  const real = await timed(ran, engine, () => engine.look());
  const { eventsSeen, isUnordered } = looks.look(engine, model.events.length);
  const expected = told(lookAt(model, eventsSeen), isUnordered);
  assert.deepEqual(told(real, isUnordered), expected, `${engine.name}, tables after ${what}`);
}

type SinceLook = { steps: number; eventsSeen: number; isUnordered: boolean };

/** Which engines' tables were last looked into when. */
class Looks {
  readonly #stepsBetween: Record<string, number>;
  readonly #since = new Map<string, SinceLook>();

  constructor(stepsBetween: Record<string, number>) {
    this.#stepsBetween = stepsBetween;
  }

  begin(engines: Engine[]): void {
    for (const { name } of engines) this.#since.set(name, { steps: 0, eventsSeen: 0, isUnordered: false });
  }

  /** Counts the step. */
  isDue({ name }: Engine, { isUnordered = false }: Step): boolean {
    const since = this.#of(name);
    since.steps += 1;
    since.isUnordered ||= isUnordered;
    return since.steps >= (this.#stepsBetween[name] ?? 1);
  }

  isBehind({ name }: Engine): boolean {
    return this.#of(name).steps > 0;
  }

  /** What is to be seen now; begins anew. */
  look({ name }: Engine, events: number): SinceLook {
    const since = this.#of(name);
    this.#since.set(name, { steps: 0, eventsSeen: events, isUnordered: false });
    return since;
  }

  #of(name: string): SinceLook {
    const since = this.#since.get(name);
    assert(since, 'a program has begun');
    return since;
  }
}

async function timed<T>({ msOf }: Ran, { name }: Engine, work: () => Promise<T>): Promise<T> {
  const startedAt = performance.now();
  const result = await work();
  msOf[name] = (msOf[name] ?? 0) + performance.now() - startedAt;
  return result;
}

/** What a step that moves many of whatever emails tells comes in no order. */
function told({ state, events }: Snapshot, isUnordered: boolean): Snapshot {
  return { state, events: isUnordered ? events.toSorted() : events };
}

/** As plain values; a refusal is an answer, too. */
async function answerOf(ask: () => unknown): Promise<unknown> {
  try {
    return plain(await ask());
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    return plain({ refused: error.code, message: error.message, extra: error.extra });
  }
}

function plain(value: unknown): unknown {
  return value === undefined ? null : JSON.parse(JSON.stringify(value));
}
