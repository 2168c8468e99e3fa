/** No field of any endpoint costs the serving thread more than it is long; sizes and shapes beyond these are `npm run cost`'s. */

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { httpFacades } from '../../src/http/facades.ts';
import { CostRun, type Costs } from './cost.ts';
import type { Target } from './targets.ts';
import { thinned } from './thinned.ts';
import { mindedBy, unmended, unmendedNames } from './unmended.ts';

const kilobyte = 1024;

function assertCheap({ costly }: Costs): void {
  const lines = costly.map(({ target, shape, size, why }) => `${target}: ${size} characters of ${shape}: it ${why}`);
  assert.deepEqual(lines, []);
}

describe('the cost of a request', () => {
  let run: CostRun;
  before(async () => {
    run = await CostRun.start({
      sizes: { isQuick: true, bodies: [100, 256 * kilobyte], heads: [8_000] },
      narrow: thinned,
    });
  });
  after(() => run.stop());

  /** On a busy machine it takes minutes: asked for by `COST=1`, until it has been seen to be quick enough for every run. */
  const isLong = { skip: process.env.COST === '1' ? false : 'COST=1, or npm run cost' };

  it('grows with no field faster than what is written into it', isLong, async () => {
    const costs = await run.all();
    assertCheap(costs);
    // Of both facades, our own routes and the page: found by asking them, so that a route that reads nothing would be missed.
    assert(costs.targets > 250, `${costs.targets} fields were found`);
  });

  it('of reading a mail grows with nothing its author wrote', async () => {
    const costs = await run.reads();
    assertCheap(costs);
    assert(costs.targets > 200, `${costs.targets} reads were asked`);
  });

  it('is seen where it grows: in each of the ways it once did', async () => {
    const run = await CostRun.start({
      sizes: { isQuick: true, bodies: [100 * kilobyte], heads: [] },
      facades: [...httpFacades, unmended],
      only: ({ path }) => path.startsWith('/unmended'),
      narrow: asMinded,
      roundsMax: 1,
    });
    const { costly } = await run.all();
    await run.stop();
    const found = new Set(costly.map(({ target }) => nameOf(target)));
    assert.deepEqual(
      unmendedNames.filter((name) => !found.has(name)),
      [],
    );
  });
});

const nameOf = (target: string) => target.replace(/^POST \/unmended /, '');

/** Each reader with what it minds, and nothing else. */
function asMinded(target: Target): Target | null {
  const shape = mindedBy[nameOf(target.name)];
  return shape === undefined ? null : { ...target, shapes: [shape] };
}
