/** A database of every released version, opened by this one, which is killed at some of its statements; the lab kills at each. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { upgradeUnderKills } from './upgrades.ts';

test('what an older version left is neither lost nor sent twice by kills in the middle of an upgrade', async () => {
  const rows = await upgradeUnderKills({ engine: 'sqlite', step: 100 });
  assert.ok(rows.length > 0);
  for (const { runs, mails, duplicates, lost, violations } of rows) {
    assert.ok(runs > 0 && mails > 0);
    assert.deepEqual({ duplicates, lost, violations }, { duplicates: 0, lost: 0, violations: [] });
  }
});
