/** Three API and three worker processes on one PostgreSQL, short; `npm run test:postgres` does it long. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { mischiefs, runFleet } from './fleet.ts';

const size = { apis: 3, workers: 3, clients: 8, seed: 20_260_801 };

test('three API and three worker processes: one email per key, one copy at the relay', async (t) => {
  const findings = await runFleet({ ...size, requests: 200, mischief: [] });
  t.diagnostic(JSON.stringify({ ...findings, lost: findings.lost.length }));
  assert.deepEqual([findings.violations, findings.duplicates, findings.lost], [[], [], []]);
  assert.equal(findings.inDoubt, 0);
  assert.ok(findings.replays >= 200);
});

test('whatever is killed, paused, ended and cut among them: nothing twice, nothing acknowledged lost', async (t) => {
  const findings = await runFleet({ ...size, requests: 250, mischief: mischiefs });
  t.diagnostic(JSON.stringify({ ...findings, lost: findings.lost.length }));
  assert.deepEqual([findings.violations, findings.duplicates, findings.lost], [[], [], []]);
});
