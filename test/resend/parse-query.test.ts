/** Paging cursors and ids in the URL (docs/resend.md). */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseEmailId, parsePagination } from '../../src/http/resend/parse-query.ts';
import { refusal } from './refusal.ts';

describe('the URL', () => {
  const id = '4ef9a417-02e9-4d39-ad75-9611e0fcc33c';

  it('pages by 20 unless told', () => {
    assert.deepEqual(parsePagination({}), { limit: 20, after: null, before: null });
    assert.deepEqual(parsePagination({ limit: '', after: '' }), { limit: 20, after: null, before: null });
    assert.deepEqual(parsePagination({ limit: '100', after: id }), { limit: 100, after: id, before: null });
    assert.deepEqual(parsePagination({ limit: '1', before: id }), { limit: 1, after: null, before: id });
  });

  it('refuses other limits in the words of the real API', () => {
    for (const limit of ['0', '101', '-1', '1.5', 'x', '1e1', ' 5', '9'.repeat(400)]) {
      const error = refusal(() => parsePagination({ limit }));
      assert.equal(error.code, 'invalid_field');
      assert.equal(
        error.message,
        'The pagination limit must be a number between 1 and 100. See https://resend.com/docs/pagination for more information.',
      );
    }
  });

  it('refuses both cursors at once, and cursors and ids that are no UUID', () => {
    assert.equal(refusal(() => parsePagination({ after: id, before: id })).code, 'invalid_field');
    assert.equal(refusal(() => parsePagination({ after: 'x' })).message, 'The `after` must be a valid UUID.');
    for (const text of ['', 'x', `${id}0`, `${id}\n`, '%00']) {
      const error = refusal(() => parseEmailId(text));
      assert.deepEqual([error.code, error.message], ['invalid_parameter', 'The `id` must be a valid UUID.']);
    }
    assert.equal(parseEmailId(id.toUpperCase()), id);
  });
});
