/** Random programs, a step at a time through the model and each engine: equal answers, and equal tables after each step. */

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
  /** An engine runs only each program of so many; each one where it is not said. */
  oneIn?: Record<string, number>;
  /** Goes on with the next seeds until every edge was taken and every refusal met. */
  isWhole?: boolean;
  /** Told after each program. */
  onProgram?: (done: number) => void;
};

type Compared = Snapshot & { answer: unknown };

export type Ran = { coverage: Coverage; programs: number; steps: number; msOf: Record<string, number> };

const drawnMax = 10_000;

/** @throws Error with the shortest program found in which somebody differs, its seed and its path. */
export async function runPrograms(options: RunOptions): Promise<Ran> {
  const { databases, count, seed, path, oneIn = {}, shrinks = true, isWhole = false, onProgram } = options;
  const ran: Ran = { coverage: new Coverage(), programs: 0, steps: 0, msOf: {} };
  const clock = { now: firstMoment };
  const engines = Object.entries(databases).map(([name, database]) => new Engine(name, database, () => clock.now));
  for (const engine of engines) await engine.prepare();
  let done = 0;
  const check = (some: Engine[], numRuns: number, from: number, at?: string) => {
    const property = fc.asyncProperty(programs, async (program) => {
      const its = some.filter(({ name }) => done % (oneIn[name] ?? 1) === 0);
      await runProgram(program, its, clock, ran);
      done += 1;
      onProgram?.(done);
    });
    return fc.assert(property, { numRuns, seed: from, path: at, endOnFailure: !shrinks, includeErrorInReport: true });
  };
  await check(engines, count, seed, path);
  if (isWhole) done += await meetTheRest(engines.slice(0, 1), seed, clock, ran);
  ran.programs = done;
  return ran;
}

/** What is rare is looked for with the model alone, which is quick: only the programs that meet it run on an engine. */
async function meetTheRest(engines: Engine[], seed: number, clock: { now: number }, ran: Ran): Promise<number> {
  let [missing, done] = [ran.coverage.missing(), 0];
  for (let drawn = 0; drawn < drawnMax && missing.length > 0; drawn++) {
    const [program = []] = fc.sample(programs, { numRuns: 1, seed: seed + 1 + drawn });
    const alone: Ran = { coverage: new Coverage(), programs: 0, steps: 0, msOf: {} };
    await runProgram(program, [], clock, alone);
    const unmet = new Set(alone.coverage.missing());
    if (missing.every((one) => unmet.has(one))) continue;
    await runProgram(program, engines, clock, ran);
    done += 1;
    missing = ran.coverage.missing();
  }
  return done;
}

async function runProgram(program: Operation[], engines: Engine[], clock: { now: number }, ran: Ran): Promise<void> {
  clock.now = firstMoment;
  const model = new Model(firstMoment, ran.coverage);
  await Promise.all(engines.map((engine) => timed(ran, engine, () => engine.reset())));
  for (const [index, operation] of program.entries()) {
    model.now += 1;
    clock.now = model.now;
    const step = operation.of(model);
    clock.now = model.now;
    if (!step) continue;
    ran.steps += 1;
    const before = model.events.length;
    const expected: Compared = { answer: await answerOf(step.expected), ...told(lookAt(model, before), step) };
    await Promise.all(
      engines.map(async (engine) => {
        const real: Compared = await timed(ran, engine, async () => ({
          answer: await answerOf(() => step.act(engine)),
          ...told(await engine.look(), step),
        }));
        assert.deepEqual(real, expected, `${engine.name}, step ${index + 1}: ${operation}`);
      }),
    );
  }
}

async function timed<T>({ msOf }: Ran, { name }: Engine, work: () => Promise<T>): Promise<T> {
  const startedAt = performance.now();
  const result = await work();
  msOf[name] = (msOf[name] ?? 0) + performance.now() - startedAt;
  return result;
}

/** What a step that moves many of whatever emails tells comes in no order. */
function told({ state, events }: Snapshot, { isUnordered = false }: Step): Snapshot {
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
