/** A process's clock while the wall clock is set, drifts, or the machine sleeps. */

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { createSystemClock, type SystemClock } from '../src/clock.ts';

const START = 1_760_000_000_000;
const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

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
  let wall = START;
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
      for (let left = ms; left > 0; left -= SECOND) {
        const step = Math.min(left, SECOND);
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
    assert.equal(clock.now(), START);
    pass(90.7 * SECOND);
    assertNear(clock.now(), START + 90_700);
    assert.ok(Number.isInteger(clock.now()) && Number.isInteger(clock.expiryNow()));
    assert.equal(clock.expiryNow(), clock.now());
    assert.deepEqual(jumps, []);
  });

  test('does not look at the wall clock between checks', () => {
    const { clock, setWall } = createWorld();
    setWall(HOUR);
    assert.equal(clock.now(), START);
  });

  test('follows a jump forward and says so once; key expiry stays on the old line', () => {
    const { clock, jumps, pass, setWall, wall } = createWorld();
    setWall(8 * HOUR);
    pass(10 * SECOND);
    assertNear(clock.now(), wall());
    assertNear(clock.expiryNow(), START + 10 * SECOND);
    assert.deepEqual(jumps.map(Math.round), [8 * HOUR]);
  });

  test('key expiry joins the clock again once an operator confirms', () => {
    const { clock, pass, setWall, wall } = createWorld();
    setWall(8 * HOUR);
    pass(SECOND);
    clock.confirm();
    assertNear(clock.expiryNow(), wall());
    pass(HOUR);
    assertNear(clock.expiryNow(), wall());
  });

  test('a second jump is told again and freezes again, also after a confirmation', () => {
    const { clock, jumps, pass, setWall } = createWorld();
    setWall(2 * HOUR);
    pass(SECOND);
    clock.confirm();
    setWall(3 * HOUR);
    pass(SECOND);
    assert.deepEqual(jumps.map(Math.round), [2 * HOUR, 3 * HOUR]);
    assertNear(clock.now() - clock.expiryNow(), 3 * HOUR);
  });

  test('a jump backward never takes the clock back, and is told once', () => {
    const { clock, jumps, pass, setWall } = createWorld();
    setWall(-2 * HOUR);
    pass(SECOND);
    assertNear(clock.now(), START + SECOND);
    assertNear(clock.expiryNow(), START + SECOND);
    pass(10 * MINUTE);
    assert.deepEqual(jumps.map(Math.round), [-2 * HOUR]);
  });

  test('after a jump backward the clock goes on, a little slower, until the wall clock has caught up', () => {
    const { clock, jumps, pass, setWall, wall } = createWorld();
    setWall(-30 * MINUTE);
    pass(HOUR);
    assertNear(clock.now(), START + 54 * MINUTE, SECOND);
    pass(4 * HOUR + MINUTE);
    assertNear(clock.now(), wall());
    assert.equal(jumps.length, 1);
  });

  test('a jump that is taken back leaves key expiry at its pace, and nothing frozen in the end', () => {
    const { clock, jumps, pass, setWall, wall } = createWorld();
    setWall(HOUR);
    pass(MINUTE);
    setWall(-HOUR);
    pass(5 * HOUR);
    assertNear(clock.expiryNow(), START + 5 * HOUR + MINUTE, SECOND);
    pass(6 * HOUR);
    assertNear(clock.now(), wall());
    assertNear(clock.expiryNow(), wall());
    assert.deepEqual(jumps.map(Math.round), [HOUR, -HOUR]);
  });

  test('a wall clock that returns after a jump backward is a jump too, but moves nothing', () => {
    const { clock, jumps, pass, setWall } = createWorld();
    setWall(-HOUR);
    pass(SECOND);
    setWall(HOUR);
    pass(SECOND);
    assertNear(clock.now(), START + 2 * SECOND, SECOND);
    assert.equal(clock.expiryNow(), clock.now());
    assert.deepEqual(
      jumps.map((delta) => Math.round(delta / SECOND)),
      [-3600, 3600],
    );
  });

  for (const drift of [-50 * SECOND, 50 * SECOND]) {
    test(`a drift of ${drift / SECOND} s is closed by and by, without a jump`, () => {
      const { clock, jumps, pass, setWall, wall } = createWorld();
      setWall(drift);
      pass(SECOND);
      assertNear(clock.now(), START + SECOND, 101);
      pass(9 * MINUTE);
      assertNear(clock.now(), wall());
      assertNear(clock.expiryNow(), wall());
      assert.deepEqual(jumps, []);
    });
  }

  test('exactly a minute is drift, more is a jump', () => {
    for (const [delta, told] of [
      [MINUTE, 0],
      [MINUTE + 2, 1],
      [-MINUTE, 0],
      [-MINUTE - 2, 1],
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
        fc.integer({ min: -3 * HOUR, max: 3 * HOUR }),
        fc.integer({ min: -70_000, max: 70_000 }),
      ),
      pass: fc.double({ min: 0, max: 20 * SECOND, noNaN: true }),
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
          assert.ok(expiryNow <= START + elapsed + drifted + MINUTE + 2);
          assert.ok(now >= wall() - MINUTE - 2);
        }
      }),
      { numRuns: 200 },
    );
  });
});
