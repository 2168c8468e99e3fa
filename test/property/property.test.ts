/** Hundreds of random lives of a server against the model of what a client may rely on, and servers that must fail it. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { broken } from './broken.ts';
import { checkSequences } from './property.ts';

/** Fixed, so that a failure here is not somebody else's bad luck; the long run draws its own. */
const seed = 20_260_801;

test('a key is a write-once register and an email leaves once, in 300 sequences of requests, time, restarts and crashes', async (t) => {
  const startedAt = performance.now();
  await checkSequences({ sequences: 300, seed });
  t.diagnostic(`300 sequences, --seed ${seed}, ${Math.round(performance.now() - startedAt)} ms`);
});

for (const [how, options] of Object.entries(broken)) {
  test(`the property notices a server that ${how}`, async () => {
    const checked = checkSequences({ ...options, sequences: 300, seed, shrinks: false });
    // A broken promise, not a server that does not even run.
    await assert.rejects(checked, (error: Error) => error.cause instanceof assert.AssertionError);
  });
}
