/** How long a delivery waits between tries, and when it is given up. */

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { expiresAt, retryDelayMs } from '../../src/core/retry.ts';

const middle = 0.5;
const dayMs = 86_400_000;

describe('retryDelayMs', () => {
  test('grows from a second to an hour and stays there', () => {
    const delays = [1, 2, 3, 4, 5, 6, 7, 8, 100].map((tries) => retryDelayMs(tries, middle));
    assert.deepEqual(
      delays.map((ms) => ms / 1_000),
      [1, 5, 30, 120, 600, 1_800, 3_600, 3_600, 3_600],
    );
  });

  test('reads no verdict yet as the first', () => {
    assert.equal(retryDelayMs(0, middle), retryDelayMs(1, middle));
  });

  test('strays by up to a fifth, evenly both ways', () => {
    assert.equal(retryDelayMs(5, 0), 480_000);
    assert.equal(retryDelayMs(5, 1), 720_000);
  });

  test('is a whole number of milliseconds within the fifth for every try and every chance', () => {
    const chance = fc.double({ min: 0, max: 1, noNaN: true });
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 1_000 }), chance, (tries, random01) => {
        const delay = retryDelayMs(tries, random01);
        assert.ok(Number.isSafeInteger(delay));
        assert.ok(delay >= 0.8 * retryDelayMs(tries, middle) && delay <= 1.2 * retryDelayMs(tries, middle));
      }),
    );
  });
});

describe('expiresAt', () => {
  test('is three days after the later of accepted and scheduled', () => {
    assert.equal(expiresAt(1_000, null), 1_000 + 3 * dayMs);
    assert.equal(expiresAt(1_000, 5_000), 5_000 + 3 * dayMs);
    assert.equal(expiresAt(5_000, 1_000), 5_000 + 3 * dayMs);
  });
});
