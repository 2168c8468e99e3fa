/** A slice of `npm run test:outbox`: kills all around an outbox lose nothing and send nothing twice, and the same kills show what would. */

import assert from 'node:assert/strict';
import { after, before, describe, it, type TestContext } from 'node:test';
import { whyNoStrace } from '../lab/strace.ts';
import { chosenEngine, onlyOnSqlite } from '../support/engine.ts';
import { createTemp } from '../support/temp.ts';
import { killAtCalls, killAtRandom } from './kills.ts';
import { type Books, type DrainKind, openSite, Shop, type Site } from './shop.ts';

const clean = { lost: [], doubled: [], unasked: [], copies: [], disordered: [], unseen: [] };

function assertClean({ committed, ...rest }: Books): void {
  assert.deepEqual(rest, clean);
  assert(committed > 0, 'something was written');
}

/** On a busy machine a kill may come before anything was sent. */
async function seen(t: TestContext, shop: Shop, isSeen: (books: Books) => boolean): Promise<void> {
  for (let times = 0; times < 15; times++) {
    await killAtRandom(t, shop, 1);
    if (isSeen(await shop.close())) return;
  }
  assert.fail('nobody noticed');
}

describe('with kills all around an outbox', () => {
  const endings: (() => unknown)[] = [];
  let site: Site;
  before(async () => {
    site = await openSite({ after: (ending) => void endings.push(ending) });
  });
  after(async () => {
    for (const ending of endings.reverse()) await ending();
  });

  function open(t: TestContext, kind: DrainKind = 'real'): Promise<Shop> {
    const seed = Date.now() % 2 ** 31;
    t.diagnostic(`seed ${seed}`);
    return Shop.open(t, site, { seed, kind });
  }

  it('every order that was committed has one email, and no other has one', async (t) => {
    const shop = await open(t);
    await killAtRandom(t, shop, 6);
    assertClean(await shop.close());
  });

  it('a drain that is killed at some system call changes nothing of that', async (t) => {
    const why = whyNoStrace();
    if (why) return t.skip(why);
    const temp = createTemp();
    t.after(() => temp.remove());
    const shop = await open(t);
    const call = chosenEngine() === 'sqlite' ? 'pwrite64' : 'write';
    const terms = { victim: 'drain', call, from: 2, step: 3, runsMax: 2, folder: temp.path('.') } as const;
    assert((await killAtCalls(t, shop, terms)) > 0, 'the drain was killed');
    assertClean(await shop.close());
  });

  const control = onlyOnSqlite('a control, which no engine changes');

  it('a drain that makes a key for each try is noticed', control, async (t) => {
    await seen(t, await open(t, 'mints-keys'), ({ doubled }) => doubled.length > 0);
  });

  it('a drain that marks rows before it sends them is noticed', control, async (t) => {
    await seen(t, await open(t, 'marks-first'), ({ lost }) => lost.length > 0);
  });
});
