/** Dot-stuffing: what DATA carries can be read back, and nothing in it ends the message. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { stuffedPieces } from '../../src/deliver/dot-stuffing.ts';

const stuffed = (text: string) => Buffer.concat([...stuffedPieces([Buffer.from(text, 'latin1')])]).toString('latin1');

test('lines that begin with a dot get another, and the last line an end', () => {
  assert.equal(stuffed('.a\r\nb.\r\n..\r\n.\r\n'), '..a\r\nb.\r\n...\r\n..\r\n');
  assert.equal(stuffed('a'), 'a\r\n');
  assert.equal(stuffed(''), '');
});

test('bare CR and LF become CRLF, so that a dot between them does not end the message at a lax relay', () => {
  assert.equal(stuffed('a\n.\nb\r.\rc\r\r\n'), 'a\r\n..\r\nb\r\n..\r\nc\r\n\r\n');
});

test('whatever is written is read back, wherever it is cut', () => {
  const part = fc.oneof(
    fc.constantFrom('\r\n', '\r\n.\r\n', '\n.', '\r.', '\r', '\r\r', '\n', '.', '..', 'é'),
    // About as long as a piece, so that cuts fall everywhere around a line end.
    fc.integer({ min: 65_530, max: 65_540 }).map((length) => `${'x'.repeat(length)}\r\r`),
  );
  fc.assert(
    fc.property(fc.array(part, { maxLength: 6 }), fc.array(fc.nat(200_000), { maxLength: 5 }), (parts, cuts) => {
      const message = Buffer.from(parts.join(''), 'latin1');
      const ends = [...cuts.filter((cut) => cut < message.length).sort((a, b) => a - b), message.length];
      const pieces = ends.map((end, index) => message.subarray(ends[index - 1] ?? 0, end));
      const wire = Buffer.concat([...stuffedPieces(pieces)]).toString('latin1');
      const lines = parts.join('').split(/\r\n|\r|\n/);
      if (lines.at(-1) === '') lines.pop();
      assert.ok(!/\r(?!\n)|(?<!\r)\n/.test(wire));
      assert.ok(!`\r\n${wire}`.includes('\r\n.\r\n'));
      const read = wire.split('\r\n').map((line) => (line.startsWith('.') ? line.slice(1) : line));
      assert.equal(read.pop(), '');
      assert.deepEqual(read, lines);
    }),
    { numRuns: 40 },
  );
});

test('no piece of a large message is much larger than 64 KiB, and none is empty', () => {
  const sizes = [...stuffedPieces([Buffer.alloc(1_000_000, 'x')])].map((piece) => piece.length);
  assert.ok(sizes.length > 10 && Math.max(...sizes) <= 65_536 && Math.min(...sizes) > 0, String(sizes));
});
