/** Random lives of a server against the model of what a client may rely on, and servers that must fail it. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { chosenEngine } from '../support/engine.ts';
import { broken } from './broken.ts';
import { checkSequences } from './property.ts';

/** Fixed, so that a failure here is not somebody else's bad luck; the long run draws its own. */
const seed = 20_260_801;

/** On PostgreSQL a life takes fifty times as long: a few, and only the mistakes that these few find. */
const isShort = chosenEngine() === 'postgres';
const sequences = isShort ? 4 : 60;
/** A mistake may take some more until it is found. */
const wrongSequences = isShort ? 4 : 120;
const foundSoon = ['forgets keys', 'keeps keys a millisecond too long'];
const mistakes = Object.entries(broken).filter(([how]) => !isShort || foundSoon.includes(how));

test(`a key is a write-once register and an email leaves once, in ${sequences} sequences of requests, time, restarts and crashes`, async (t) => {
  const startedAt = performance.now();
  await checkSequences({ sequences, seed });
  t.diagnostic(`${sequences} sequences, --seed ${seed}, ${Math.round(performance.now() - startedAt)} ms`);
});

for (const [how, options] of mistakes) {
  test(`the property notices a server that ${how}`, async () => {
    const checked = checkSequences({ ...options, sequences: wrongSequences, seed, shrinks: false });
    // A broken promise, not a server that does not even run.
    await assert.rejects(checked, (error: Error) => error.cause instanceof assert.AssertionError);
  });
}
