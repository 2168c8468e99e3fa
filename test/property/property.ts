/** The property itself: whatever happens in whatever order, a key is a write-once register and an email leaves once. */

import fc from 'fast-check';
import { commands } from './commands.ts';
import { Model } from './model.ts';
import { firstMoment, World, type WorldOptions } from './world.ts';

export type CheckOptions = WorldOptions & {
  sequences: number;
  seed: number;
  /** Where fast-check says a failure can be found again. */
  path?: string;
  replayPath?: string;
  /** False where a failure is what is wanted, and the shortest one of no interest. */
  shrinks?: boolean;
  /** Told after each sequence. */
  onSequence?: (done: number) => void;
};

/** Enough for a key to be used, expire and be used again with a crash in between; most are shorter. */
const commandsMax = 20;

/** @throws Error with the shortest sequence found that breaks a promise, its seed and its path. */
export async function checkSequences(options: CheckOptions): Promise<void> {
  const { sequences, seed, path, replayPath, shrinks = true, onSequence, ...worldOptions } = options;
  let done = 0;
  const property = fc.asyncProperty(
    fc.commands(commands, { maxCommands: commandsMax, size: 'max', replayPath }),
    async (sequence) => {
      const world = await World.start(worldOptions);
      const model = new Model(firstMoment);
      try {
        await fc.asyncModelRun(() => ({ model, real: world }), sequence);
        await world.finish(model);
      } finally {
        await world.destroy();
      }
      done += 1;
      onSequence?.(done);
    },
  );
  await fc.assert(property, { numRuns: sequences, seed, path, endOnFailure: !shrinks });
}
