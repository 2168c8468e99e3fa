/** The loop both lanes share, with a lane that is a list. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Lane, Worker } from '../src/worker.ts';

type Item = { name: string };

function createLane(due: Item[], change: Partial<Lane<Item>> = {}) {
  const attempted: string[] = [];
  let release = () => {};
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  const lane: Lane<Item> = {
    name: 'test',
    concurrency: 2,
    claim: async (limit) => due.splice(0, limit),
    attempt: async (item) => {
      attempted.push(item.name);
      await held;
    },
    release: async () => {},
    settled: () => held,
    ...change,
  };
  return { lane, attempted, release };
}

const items = (...names: string[]): Item[] => names.map((name) => ({ name }));
const turn = () => new Promise((resolve) => setImmediate(resolve));

describe('a worker', () => {
  it('keeps as many attempts under way as its lane allows, and hands back the rest when it stops', async () => {
    const handedBack: string[] = [];
    const { lane, attempted, release } = createLane(items('a', 'b', 'c', 'd', 'e'), {
      release: async (unstarted) => void handedBack.push(...unstarted.map((item) => item.name)),
    });
    const worker = new Worker(lane);
    worker.start();
    await turn();
    assert.deepEqual(attempted, ['a', 'b']);
    const drained = worker.stop();
    await turn();
    assert.deepEqual(handedBack, ['c', 'd']);
    release();
    await drained;
  });

  it('waits for what has left even when claims cannot be handed back', async () => {
    const { lane, release } = createLane(items('a'), { release: () => Promise.reject(new Error('the disk is full')) });
    const worker = new Worker(lane);
    worker.start();
    await turn();
    let isDrained = false;
    const drained = worker.stop().then(() => {
      isDrained = true;
    });
    await turn();
    assert.equal(isDrained, false);
    release();
    await drained;
  });

  it('goes on after a claim that failed and an attempt that threw', async () => {
    const claims: (() => Item[])[] = [
      () => {
        throw new Error('the database is away');
      },
      () => items('a'),
      () => items('b'),
    ];
    const attempted: string[] = [];
    const { lane } = createLane([], {
      claim: async () => claims.shift()?.() ?? [],
      attempt: async ({ name }) => {
        attempted.push(name);
        throw new Error('a bug');
      },
      settled: async () => {},
    });
    const worker = new Worker(lane);
    worker.start();
    for (let wakes = 0; wakes < 6; wakes += 1) {
      await turn();
      worker.wake();
    }
    await worker.stop();
    assert.deepEqual(attempted, ['a', 'b']);
  });
});
