/** Looking at JSON as it arrives: what is counted, and that cuts between pieces change nothing. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { limits } from '../../src/config/limits.ts';
import { AppError } from '../../src/core/error.ts';
import { JsonShape, type ShapeLimits } from '../../src/http/json-shape.ts';

const generous: ShapeLimits = { depthMax: 1e9, valuesMax: 1e9, membersMax: 1e9, numbersMax: 1e9 };

function passes(text: string, limits: ShapeLimits, pieceBytes = 65_536): boolean {
  const shape = new JsonShape(limits);
  const bytes = Buffer.from(text);
  try {
    for (let at = 0; at < bytes.length; at += pieceBytes) shape.take(bytes.subarray(at, at + pieceBytes));
    return true;
  } catch (error) {
    assert(error instanceof AppError && error.code === 'invalid_field', String(error));
    return false;
  }
}

/** What JSON.parse makes of it, counted the long way. */
function count(value: unknown, depth = 1): ShapeLimits {
  const none = { depthMax: depth - 1, valuesMax: 0, membersMax: 0, numbersMax: 0 };
  if (typeof value === 'number') return { ...none, numbersMax: 1 };
  if (typeof value !== 'object' || value === null) return { ...none, valuesMax: 1 };
  const members = Array.isArray(value) ? 0 : Object.keys(value).length;
  const total = { depthMax: depth, valuesMax: 1 + members, membersMax: members, numbersMax: 0 };
  for (const inner of Object.values(value)) {
    const counted = count(inner, depth + 1);
    total.depthMax = Math.max(total.depthMax, counted.depthMax);
    total.valuesMax += counted.valuesMax;
    total.membersMax += counted.membersMax;
    total.numbersMax += counted.numbersMax;
  }
  return total;
}

describe('the shape of a JSON text', () => {
  it('is counted as JSON.parse would find it, wherever the text is cut', () => {
    const text = fc.jsonValue({ maxDepth: 6 }).map((value) => JSON.stringify(value));
    const property = fc.property(text, fc.integer({ min: 1, max: 40 }), (json, pieceBytes) => {
      const counted = count(JSON.parse(json));
      assert(passes(json, counted, pieceBytes), json);
      for (const name of ['depthMax', 'valuesMax', 'membersMax', 'numbersMax'] as const) {
        if (counted[name] === 0) continue;
        assert(!passes(json, { ...generous, [name]: counted[name] - 1 }, pieceBytes), `${name} of ${json}`);
      }
    });
    fc.assert(property, { numRuns: 300 });
  });

  it('is not told by what stands in strings, however it is escaped', () => {
    const one = { ...generous, depthMax: 1, valuesMax: 2 };
    for (const inner of ['{{{{[[[[::::1,2,3', '"'.repeat(2_000), '\\'.repeat(999), `${'x'.repeat(700)}\\"{[`]) {
      for (const pieceBytes of [1, 7, 256, 257, 65_536]) {
        assert(passes(JSON.stringify([inner]), one, pieceBytes), inner.slice(0, 10));
      }
    }
  });

  it('is within the limits for the fullest batch anybody could mean, and not for a flood', () => {
    const { jsonDepthMax, jsonValuesMax, jsonMembersMax, jsonNumbersMax } = limits;
    const real = {
      depthMax: jsonDepthMax,
      valuesMax: jsonValuesMax,
      membersMax: jsonMembersMax,
      numbersMax: jsonNumbersMax,
    };
    const people = Array.from({ length: 50 }, (_, index) => `Person ${index} <person-${index}@example.org>`);
    const headers = Object.fromEntries(Array.from({ length: 100 }, (_, index) => [`X-Header-${index}`, 'value']));
    const tags = Array.from({ length: 75 }, (_, index) => ({ name: `tag${index}`, value: 'v' }));
    const file = { filename: 'a.txt', content: 'YQ==', content_type: 'text/plain', content_id: 'a' };
    const attachments = Array.from({ length: 100 }, () => file);
    const email = {
      from: 'a@b.org',
      to: people,
      cc: people,
      bcc: people,
      reply_to: people,
      headers,
      tags,
      attachments,
    };
    assert(passes(JSON.stringify(Array.from({ length: 100 }, () => email)), real));
    assert(!passes(`[${'{},'.repeat(500_000)}{}]`, real));
    assert(!passes(`{${'"":1,'.repeat(200_000)}"":1}`, real));
    assert(!passes('['.repeat(101), real));
  });
});
