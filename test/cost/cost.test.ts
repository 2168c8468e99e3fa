/** No field of any endpoint costs the serving thread more than it is long; sizes beyond these are `npm run cost`'s. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { httpFacades } from '../../src/http/facades.ts';
import { CostRun, type Costs } from './cost.ts';
import { unmended, unmendedNames } from './unmended.ts';

const sizes = { isQuick: true, bodies: [100, 256 * 1024], heads: [8_000] };

function assertCheap({ costly }: Costs): void {
  const lines = costly.map(({ target, shape, size, why }) => `${target}: ${size} characters of ${shape}: it ${why}`);
  assert.deepEqual(lines, []);
}

/** Some minutes of processor time: asked for by `COST=1`, until it is quick enough for every run. */
const isLong = { skip: process.env.COST === '1' ? false : 'takes minutes: COST=1, or npm run cost' };

describe('the cost of a request', () => {
  it('grows with no field faster than what is written into it', isLong, async () => {
    const run = await CostRun.start({ sizes });
    const costs = await run.all();
    await run.stop();
    assertCheap(costs);
    // Of both facades, our own routes and the page: found by asking them, so that a route that reads nothing would be missed.
    assert(costs.targets > 250, `${costs.targets} fields were found`);
  });

  it('of reading a mail grows with nothing its author wrote', isLong, async () => {
    const run = await CostRun.start({ sizes });
    const costs = await run.reads();
    await run.stop();
    assertCheap(costs);
    assert(costs.targets > 500, `${costs.targets} reads were asked`);
  });

  it('is seen where it grows: in each of the ways it once did', async () => {
    const run = await CostRun.start({
      sizes,
      facades: [...httpFacades, unmended],
      only: ({ path }) => path.startsWith('/unmended'),
    });
    const { costly } = await run.all();
    await run.stop();
    const found = new Set(costly.map(({ target }) => target.replace(/^POST \/unmended /, '')));
    // On a busy machine something cheap may be taken for dear beside them.
    assert.deepEqual(
      unmendedNames.filter((name) => !found.has(name)),
      [],
    );
  });
});
