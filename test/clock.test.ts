/** A process's clock while the wall clock is set, drifts, or the machine sleeps. */

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { createSystemClock, type SystemClock } from '../src/clock.ts';

const start = 1_760_000_000_000;
const second = 1_000;
const minute = 60 * second;
const hour = 60 * minute;

type World = {
  clock: SystemClock;
  jumps: number[];
  wall: () => number;
  /** Time passes, with a check every second as in the server. */
  pass: (ms: number) => void;
  /** Somebody sets the wall clock; with `asleep` both go on, but the monotonic clock does not see it. */
  setWall: (deltaMs: number) => void;
};

function createWorld(): World {
  let wall = start;
  let monotonic = 5_000.25;
  const jumps: number[] = [];
  const clock = createSystemClock({
    wall: () => wall,
    monotonic: () => monotonic,
    onJump: (delta) => jumps.push(delta),
  });
  return {
    clock,
    jumps,
    wall: () => wall,
    pass: (ms) => {
      for (let left = ms; left > 0; left -= second) {
        const step = Math.min(left, second);
        wall += step;
        monotonic += step;
        clock.check();
      }
    },
    setWall: (deltaMs) => {
      wall += deltaMs;
    },
  };
}

/** Sums of fractions are floored: a millisecond either way is no drift. */
function assertNear(actual: number, expected: number, toleranceMs = 2): void {
  assert.ok(Math.abs(actual - expected) <= toleranceMs, `${actual} is ${actual - expected} ms off ${expected}`);
}

describe('createSystemClock', () => {
  test('starts at the wall clock and advances by the monotonic one, in whole milliseconds', () => {
    const { clock, pass, jumps } = createWorld();
    assert.equal(clock.now(), start);
    pass(90.7 * second);
    assertNear(clock.now(), start + 90_700);
    assert.ok(Number.isInteger(clock.now()) && Number.isInteger(clock.expiryNow()));
    assert.equal(clock.expiryNow(), clock.now());
    assert.deepEqual(jumps, []);
  });

  test('does not look at the wall clock between checks', () => {
    const { clock, setWall } = createWorld();
    setWall(hour);
    assert.equal(clock.now(), start);
  });

  test('follows a jump forward and says so once; key expiry stays on the old line', () => {
    const { clock, jumps, pass, setWall, wall } = createWorld();
    setWall(8 * hour);
    pass(10 * second);
    assertNear(clock.now(), wall());
    assertNear(clock.expiryNow(), start + 10 * second);
    assert.deepEqual(jumps.map(Math.round), [8 * hour]);
  });

  test('a second jump is told again and freezes again', () => {
    const { clock, jumps, pass, setWall } = createWorld();
    setWall(2 * hour);
    pass(second);
    setWall(3 * hour);
    pass(second);
    assert.deepEqual(jumps.map(Math.round), [2 * hour, 3 * hour]);
    assertNear(clock.now() - clock.expiryNow(), 5 * hour);
  });

  test('a jump backward never takes the clock back, and is told once', () => {
    const { clock, jumps, pass, setWall } = createWorld();
    setWall(-2 * hour);
    pass(second);
    assertNear(clock.now(), start + second);
    assertNear(clock.expiryNow(), start + second);
    pass(10 * minute);
    assert.deepEqual(jumps.map(Math.round), [-2 * hour]);
  });

  test('after a jump backward the clock goes on, a little slower, until the wall clock has caught up', () => {
    const { clock, jumps, pass, setWall, wall } = createWorld();
    setWall(-30 * minute);
    pass(hour);
    assertNear(clock.now(), start + 54 * minute, second);
    pass(4 * hour + minute);
    assertNear(clock.now(), wall());
    assert.equal(jumps.length, 1);
  });

  test('a jump that is taken back leaves key expiry at its pace, and nothing frozen in the end', () => {
    const { clock, jumps, pass, setWall, wall } = createWorld();
    setWall(hour);
    pass(minute);
    setWall(-hour);
    pass(5 * hour);
    assertNear(clock.expiryNow(), start + 5 * hour + minute, second);
    pass(6 * hour);
    assertNear(clock.now(), wall());
    assertNear(clock.expiryNow(), wall());
    assert.deepEqual(jumps.map(Math.round), [hour, -hour]);
  });

  test('a wall clock that returns after a jump backward is a jump too, but moves nothing', () => {
    const { clock, jumps, pass, setWall } = createWorld();
    setWall(-hour);
    pass(second);
    setWall(hour);
    pass(second);
    assertNear(clock.now(), start + 2 * second, second);
    assert.equal(clock.expiryNow(), clock.now());
    assert.deepEqual(
      jumps.map((delta) => Math.round(delta / second)),
      [-3600, 3600],
    );
  });

  for (const drift of [-50 * second, 50 * second]) {
    test(`a drift of ${drift / second} s is closed by and by, without a jump`, () => {
      const { clock, jumps, pass, setWall, wall } = createWorld();
      setWall(drift);
      pass(second);
      assertNear(clock.now(), start + second, 101);
      pass(9 * minute);
      assertNear(clock.now(), wall());
      assertNear(clock.expiryNow(), wall());
      assert.deepEqual(jumps, []);
    });
  }

  test('exactly a minute is drift, more is a jump', () => {
    for (const [delta, told] of [
      [minute, 0],
      [minute + 2, 1],
      [-minute, 0],
      [-minute - 2, 1],
    ] as const) {
      const { clock, jumps, setWall } = createWorld();
      setWall(delta);
      clock.check();
      assert.equal(jumps.length, told, `${delta}`);
    }
  });

  test('whatever happens: no time goes back, keys never expire before their time, and the clock finds back to the wall', () => {
    const step = fc.record({
      set: fc.oneof(
        fc.constant(0),
        fc.integer({ min: -3 * hour, max: 3 * hour }),
        fc.integer({ min: -70_000, max: 70_000 }),
      ),
      pass: fc.double({ min: 0, max: 20 * second, noNaN: true }),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 12 }), (steps) => {
        const { clock, pass, setWall, wall } = createWorld();
        let [now, expiryNow, elapsed, drifted] = [clock.now(), clock.expiryNow(), 0, 0];
        for (const { set, pass: ms } of steps) {
          setWall(set);
          pass(ms);
          // As the server does each second: until then a jump cannot be known.
          clock.check();
          elapsed += ms;
          drifted += ms * 0.1;
          assert.ok(clock.now() >= now && clock.expiryNow() >= expiryNow);
          [now, expiryNow] = [clock.now(), clock.expiryNow()];
          assert.ok(expiryNow <= now);
          assert.ok(expiryNow <= start + elapsed + drifted + minute + 2);
          assert.ok(now >= wall() - minute - 2);
        }
      }),
      { numRuns: 200 },
    );
  });
});
