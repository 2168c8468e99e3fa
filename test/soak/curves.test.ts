/** What counts as flat, on curves made by hand. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { drawCurves, grown, type Sample } from './curves.ts';

const flat = { megabytes: 100, files: 40, sockets: 5, underWay: 3, overdueSeconds: 0.2 };
const hour = (over: (at: number) => Partial<Sample>) =>
  Array.from({ length: 60 }, (_, at) => ({ minutes: at, accepted: at * 100, ...flat, ...over(at) }));

test('what stays as it was, or is only rough, is flat', () => {
  assert.deepEqual(grown(hour((at) => ({ megabytes: 100 + (at % 7) * 5 }))), []);
  // Warm-up is none of it.
  assert.deepEqual(grown(hour((at) => ({ megabytes: at < 10 ? 60 : 180 }))), []);
});

test('what grows slowly is found, whatever it is', () => {
  assert.match(grown(hour((at) => ({ megabytes: 100 + at * 3 })))[0] ?? '', /memory .* grew from/);
  assert.match(grown(hour((at) => ({ files: 40 + at })))[0] ?? '', /open files/);
  assert.match(grown(hour((at) => ({ overdueSeconds: at })))[0] ?? '', /oldest overdue/);
});

test('a picture has a strip for each', () => {
  assert.equal(drawCurves(hour(() => ({}))).match(/<polyline/g)?.length, 6);
});
