/** The process that attacks: one attack for each message, answered with what came of it. */

import { type Attack, run, type Target } from './attacks.ts';

process.on('disconnect', () => process.exit(0));
process.on('message', async ({ attack, target }: { attack: Attack; target: Target }) => {
  process.send?.(await run(attack, target));
});
