/** Inside a renderer thread: does one piece of work at a time, and tells what it has made as it goes. */

import { parentPort } from 'node:worker_threads';
import { AppError } from '../core/error.ts';
import { jobs } from './jobs.ts';
import type { Told, Work, WorkResult } from './thread.ts';

parentPort?.on('message', (work: Work) => void doAll(work));

tell('ready');

/** Told one by one: what is made stays made, whatever the next one does to this thread. */
async function doAll(work: Work): Promise<void> {
  for (const [index, input] of work.inputs.entries()) {
    tell({ result: await attempt(work, input), isLast: index === work.inputs.length - 1 });
  }
}

function tell(told: Told): void {
  parentPort?.postMessage(told);
}

async function attempt({ name, outputCharsMax }: Work, input: unknown): Promise<WorkResult> {
  try {
    const value = await (jobs[name] as (input: unknown) => unknown)(input);
    return charsOf(value) > outputCharsMax ? { kind: 'cut', reason: 'size' } : { kind: 'made', value };
  } catch (error) {
    if (error instanceof AppError) return { kind: 'refused', code: error.code, message: error.message };
    return { kind: 'failed', message: error instanceof Error ? (error.stack ?? error.message) : String(error) };
  }
}

function charsOf(value: unknown): number {
  if (typeof value === 'string') return value.length;
  // Taken out of what it was given: never more than that.
  if (value instanceof Uint8Array) return 0;
  if (typeof value !== 'object' || value === null) return 1;
  return Object.values(value).reduce<number>((sum, part) => sum + charsOf(part), 0);
}
