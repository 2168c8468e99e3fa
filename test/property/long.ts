/** 10,000 random sequences, or one of them again: `npm run test:property -- [--seed N] [--sequences N] [--path P --replay R]`. */

import { parseArgs } from 'node:util';
import { checkSequences } from './property.ts';

const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    sequences: { type: 'string' },
    path: { type: 'string' },
    replay: { type: 'string' },
  },
});
const seed = Number(values.seed ?? Date.now() % 2 ** 31);
const sequences = Number(values.sequences ?? 10_000);
const startedAt = performance.now();

console.log(`property: ${sequences} sequences, --seed ${seed}`);
await checkSequences({
  sequences,
  seed,
  path: values.path,
  replayPath: values.replay,
  onSequence: (done) => {
    if (done % 500 === 0) console.log(`property: ${done} sequences, ${perSecond(done)} a second`);
  },
});
console.log(`property: ${sequences} sequences held, --seed ${seed}, ${perSecond(sequences)} a second`);

function perSecond(done: number): string {
  return ((done * 1_000) / (performance.now() - startedAt)).toFixed(1);
}
