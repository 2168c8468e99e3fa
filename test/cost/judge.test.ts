/** What the judge of costs lets pass and what it finds, with requests whose times are made up. */

import assert from 'node:assert/strict';
import { it } from 'node:test';
import { judge } from './judge.ts';

const size = 256 * 1024;
const terms = { countsWall: false, roundsMax: 8 };

/** `noise`: what a busy machine makes of it, one ask after another, again and again. */
function taking(msOf: (part: number) => number, noise: readonly number[] = [1]) {
  let asked = 0;
  return async (of: number) => {
    const times = noise[asked++ % noise.length] ?? 1;
    return { status: 200, text: '', bytes: of, cpuMs: msOf(of / size) * times, wallMs: 0 };
  };
}

/** Of four, in turns of three sizes: each size meets a quiet moment within three rounds. */
const busy = [4, 1, 2.5, 1.1];

it('lets pass what takes as long as it is written, however busy the machine is', async () => {
  assert.equal(
    await judge(
      taking((part) => 40 * part),
      size,
      terms,
    ),
    null,
  );
  assert.equal(
    await judge(
      taking((part) => 40 * part, busy),
      size,
      terms,
    ),
    null,
  );
  assert.equal(
    await judge(
      taking((part) => 40 * part, [5, 1, 1]),
      size,
      { ...terms, roundsMax: 2 },
    ),
    null,
  );
});

it('lets pass what costs a step more from some size on', async () => {
  assert.equal(
    await judge(
      taking((part) => 20 * part + (part > 0.9 ? 20 : 0)),
      size,
      terms,
    ),
    null,
  );
});

it('finds squares, on a quiet machine and on a busy one', async () => {
  for (const noise of [[1], busy]) {
    const why = await judge(
      taking((part) => 60 * part ** 2, noise),
      size,
      terms,
    );
    assert.match(why ?? '', /half of it 1\d ms, and a quarter/);
  }
});

it('finds what takes more than it may, although it grows no faster', async () => {
  for (const noise of [[1], busy]) {
    const why = await judge(
      taking((part) => 130 * part, noise),
      size,
      terms,
    );
    assert.match(why ?? '', /takes 1\d\d ms of the serving thread, at most 100/);
  }
  const why = await judge(async () => ({ status: 500, text: 'no', bytes: 1, cpuMs: 1, wallMs: 1 }), size, terms);
  assert.equal(why, 'is answered 500: no');
});
