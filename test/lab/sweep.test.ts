/** A slice of the sweeps: kills at system calls, and the same kills with a guard taken out. The whole is `npm run lab`. */

import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { runKillSweeps, type SweepOptions } from './kill-sweep.ts';
import type { Row } from './row.ts';

const main = fileURLToPath(new URL('./unguarded-main.js', import.meta.url));

/** Null, and loudly so, where the machine cannot do it. */
async function sweep(t: TestContext, options: Omit<SweepOptions, 'seed'>): Promise<Row | null> {
  const seed = Date.now() % 2 ** 31;
  t.diagnostic(`--seed ${seed}`);
  const [row] = await runKillSweeps({ cleanRuns: 1, ...options, seed, onProgress: (text) => t.diagnostic(text) });
  assert(row);
  if (!row.skipped) return row;
  t.diagnostic(`NOT CHECKED: ${row.fault}: ${row.skipped}`);
  t.skip(row.skipped);
  return null;
}

test('a kill around each sync and answer of an accept loses nothing that was acknowledged', async (t) => {
  const row = await sweep(t, { phases: ['accept'], calls: ['writev', 'fsync'] });
  if (!row) return;
  assert.deepEqual(row.violations, []);
  assert(row.runs > 3, 'there were kills');
});

test('a kill around each sync and line to the relay of a delivery sends nothing twice', async (t) => {
  const row = await sweep(t, { phases: ['delivery'], calls: ['write', 'fsync'] });
  if (!row) return;
  assert.deepEqual(row.violations, []);
  assert(row.held > 0, 'some kill came between the gate and the verdict');
  assert.equal(row.held, row.explained);
});

test('the sweep of an accept notices a server that answers before its commit', async (t) => {
  const command = [process.execPath, main, 'answers-early'];
  const row = await sweep(t, { command, stopsAtViolation: true, phases: ['accept'], calls: ['pwrite64'], step: 8 });
  if (!row) return;
  assert.match(row.violations.join('\n'), /was answered 200 and is not in the database/);
});

test('the sweep of a delivery notices a server whose dot leaves before its gate has committed', async (t) => {
  const command = [process.execPath, main, 'answers-early'];
  const row = await sweep(t, { command, stopsAtViolation: true, phases: ['delivery'], calls: ['pwrite64'], step: 8 });
  if (!row) return;
  assert.match(row.violations.join('\n'), /left 2 times/);
});

test('the sweep of a delivery notices a server that sends again what a kill has interrupted', async (t) => {
  const command = [process.execPath, main, 'sends-again'];
  const row = await sweep(t, {
    command,
    stopsAtViolation: true,
    phases: ['delivery'],
    calls: ['pwrite64'],
    from: 6,
    step: 2,
  });
  if (!row) return;
  assert.match(row.violations.join('\n'), /left 2 times/);
});
