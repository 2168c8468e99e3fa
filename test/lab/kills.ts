/** kill -9 at random moments under load, again and again: what the test and the long run share. */

import { pause } from './load.ts';
import { type Findings, Run } from './run.ts';

export type KillOptions = {
  kills: number;
  seed: number;
  /** Another program than the real one. */
  command?: string[];
  onKill?: (kill: number, run: Run) => void;
};

/** Before a kill: counted in answers, so that a slow machine does not kill idle servers, and then some time. */
const answersMax = 40;
const moreMsMax = 40;
/** One kill in eight comes while the program starts, recovery included. */
const atStart = 0.125;
/** About what a start takes. */
const startMs = 250;

export async function killAgainAndAgain({ kills, seed, command, onKill }: KillOptions): Promise<Findings> {
  const run = await Run.start(seed, command);
  try {
    run.load.start();
    for (let kill = 1; kill <= kills; kill++) {
      if (run.random() < atStart) {
        const program = run.spawn();
        await pause(run.random() * startMs);
        await run.kill(program);
      } else {
        const program = await run.up();
        await run.load.answeredMore(1 + run.random() * answersMax);
        await pause(run.random() * moreMsMax);
        await run.kill(program);
      }
      onKill?.(kill, run);
    }
    await run.up();
    return await run.examine();
  } finally {
    await run.destroy();
  }
}

export function summaryOf(findings: Findings): string {
  const { keys, emails, mails, inDoubt, interrupted, replays, aborts } = findings;
  return `${keys} keys, ${emails} emails, ${mails} mails at the sink, ${inDoubt} in doubt of ${interrupted} interrupted hand-offs, ${replays} replays, ${aborts} impatient clients`;
}
