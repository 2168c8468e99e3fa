/** Several processes on one PostgreSQL, short; `npm run lab -- --only PostgreSQL` does it long. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { summaryOf } from '../lab/kills.ts';
import { fleetSpeed, labServer } from '../lab/lab-server.ts';
import { makeMischief, quickMischiefs } from '../lab/mischief.ts';
import { createMoods } from '../lab/moods.ts';
import { keyedRequests } from '../lab/scenarios.ts';

test('three API and three worker processes: one email per key, one copy at the relay', async () => {
  const { duplicates, lost, held, violations } = await keyedRequests(80, { seed: 20_260_801 });
  assert.deepEqual({ duplicates, lost, held, violations }, { duplicates: 0, lost: 0, held: 0, violations: [] });
});

const everything = {
  only: quickMischiefs,
  moods: createMoods,
  badGreetings: 10,
  command: labServer(),
  speed: fleetSpeed,
};

test('people at random processes are told what holds, whatever befalls those', async (t) => {
  const seed = Date.now() % 2 ** 31;
  t.diagnostic(`--seed ${seed}`);
  const findings = await makeMischief({ apis: 2, workers: 2, seed, times: 3, hasPeople: true, ...everything });
  t.diagnostic(summaryOf(findings));
  assert.deepEqual(findings.violations, []);
  assert.equal(findings.duplicates, 0);
});

for (const policy of ['hold', 'send-again'] as const) {
  test(`whatever is killed, paused, ended and cut among them: \`${policy}\` keeps what it promises`, async (t) => {
    const seed = Date.now() % 2 ** 31;
    t.diagnostic(`--seed ${seed}`);
    const findings = await makeMischief({ apis: 2, workers: 2, seed, policy, times: 4, ...everything });
    t.diagnostic(JSON.stringify({ ...findings, violations: findings.violations.length }));
    assert.deepEqual(findings.violations, []);
    assert.equal(findings.lost, 0);
    if (policy === 'hold') assert.equal(findings.duplicates, 0);
  });
}
