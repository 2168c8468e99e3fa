/** The order in which what lives as long as the server starts and stops. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Part, Parts, together } from '../src/process/parts.ts';

function recorder() {
  const said: string[] = [];
  const part = (name: string, change: Partial<Part> = {}): Part => ({
    start: () => void said.push(`${name} starts`),
    stop: () => void said.push(`${name} stops`),
    ...change,
  });
  const fail = (words: string) => () => Promise.reject(new Error(words));
  return { said, part, fail };
}

describe('parts', () => {
  it('stop in the reverse order of their start, what was opened among them, and once', async () => {
    const { said, part } = recorder();
    const parts = new Parts();
    await parts.start(part('a'));
    parts.opened(() => void said.push('b closes'));
    await parts.start(part('c'));
    await parts.stop();
    await parts.stop();
    assert.deepEqual(said, ['a starts', 'c starts', 'c stops', 'b closes', 'a stops']);
  });

  it('stop although one of them fails at it, which is told', async () => {
    const { said, part, fail } = recorder();
    const parts = new Parts();
    await parts.start(part('a'));
    await parts.start(part('b', { stop: fail('b is stuck') }));
    await parts.start(part('c', { stop: fail('c is stuck') }));
    await assert.rejects(parts.stop(), /c is stuck/);
    assert.deepEqual(said, ['a starts', 'b starts', 'c starts', 'a stops']);
  });

  it('do not stop what did not start', async () => {
    const { said, part, fail } = recorder();
    const parts = new Parts();
    await parts.start(part('a'));
    await assert.rejects(parts.start(part('b', { start: fail('b is taken') })), /b is taken/);
    await parts.stop();
    assert.deepEqual(said, ['a starts', 'a stops']);
  });

  it('stop at once where they were started together: none waits for another', async () => {
    const { said, part } = recorder();
    let end = () => {};
    const slow = part('slow', {
      stop: () =>
        new Promise<void>((resolve) => {
          end = resolve;
        }),
    });
    const parts = new Parts();
    await parts.start(together([part('a'), slow]));
    const stopped = parts.stop();
    assert.deepEqual(said, ['a starts', 'slow starts', 'a stops']);
    end();
    await stopped;
  });

  it('that start together are stopped where one of them does not start', async () => {
    const { said, part, fail } = recorder();
    const parts = new Parts();
    const started = parts.start(together([part('a'), part('b', { start: fail('b is taken') }), part('c')]));
    await assert.rejects(started, /b is taken/);
    assert.deepEqual(said, ['a starts', 'a stops']);
  });
});
