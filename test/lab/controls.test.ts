/** The guards of the hand-off taken out one at a time: with each there is one copy at the relay, without it there are two. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bites, controls } from './guards.ts';
import { copiesAfterPause, copiesAfterTakeover } from './late-workers.ts';

test('a worker that was paused past its lease sends nothing, since its gate does not open', async (t) => {
  assert.equal(await copiesAfterPause(t.after.bind(t), {}), 1);
});

test('a late worker cannot pass the gate of the attempt that took its delivery over', async (t) => {
  assert.equal(await copiesAfterTakeover(t.after.bind(t), []), 1);
});

for (const { guard, sees, run } of controls.filter((one) => one.isQuick)) {
  test(`the lab sees "${sees}" without its guard: ${guard}`, async () => {
    const row = await run({ seed: 8 });
    assert(bites({ sees }, row), JSON.stringify(row));
    assert.notDeepEqual(row.violations, []);
  });
}
