/** A slice of the faults made one at a time, and of the same faults with a guard taken out. */

import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { runClockJumps } from './clock-jumps.ts';
import { type DiskFaultOptions, runDiskFaults } from './disk-faults.ts';
import { runFullDisk } from './full-disk.ts';
import { runKillSweeps, type SweepOptions } from './kill-sweep.ts';
import { labServer } from './lab-server.ts';
import { runLostAnswers } from './lost-answers.ts';
import { runPowerCuts } from './power-cut.ts';
import type { Row } from './row.ts';

type Common = { seed: number; onProgress: (text: string) => void };

/** Null, and loudly so, where the machine cannot do it. */
async function only(t: TestContext, run: (common: Common) => Promise<Row[]>): Promise<Row | null> {
  const seed = Date.now() % 2 ** 31;
  t.diagnostic(`--seed ${seed}`);
  const [row] = await run({ seed, onProgress: (text) => t.diagnostic(text) });
  assert(row);
  if (!row.skipped) return row;
  t.diagnostic(`NOT CHECKED: ${row.fault}: ${row.skipped}`);
  t.skip(row.skipped);
  return null;
}

function sweep(t: TestContext, options: Omit<SweepOptions, 'seed'>): Promise<Row | null> {
  return only(t, (common) => runKillSweeps({ ...common, cleanRuns: 1, ...options }));
}

function breakDisk(t: TestContext, options: Omit<DiskFaultOptions, 'seed'>): Promise<Row | null> {
  return only(t, (common) => runDiskFaults({ ...common, ...options }));
}

test('a kill around each sync of an accept loses nothing that was acknowledged', async (t) => {
  const row = await sweep(t, { phases: ['accept'], calls: ['fdatasync'] });
  if (!row) return;
  assert.deepEqual(row.violations, []);
  assert(row.runs > 2, 'there were kills');
});

test('kills all through a delivery send nothing twice, and leave in doubt what they interrupted', async (t) => {
  const row = await sweep(t, { phases: ['delivery'], calls: ['pwrite64'], step: 4 });
  if (!row) return;
  assert.deepEqual(row.violations, []);
  assert(row.held > 0, 'some kill came between the gate and the verdict');
  assert.equal(row.held, row.explained);
});

test('the sweep of an accept notices a server that answers before its commit', async (t) => {
  const command = labServer('answers-early');
  const row = await sweep(t, { command, stopsAtViolation: true, phases: ['accept'], calls: ['pwrite64'], step: 8 });
  if (!row) return;
  assert.match(row.violations.join('\n'), /was answered 200 and is not in the database/);
});

test('the sweep of a delivery notices a server whose dot leaves before its gate has committed', async (t) => {
  const command = labServer('dots-early');
  const row = await sweep(t, { command, stopsAtViolation: true, phases: ['delivery'], calls: ['pwrite64'], step: 1 });
  if (!row) return;
  assert.match(row.violations.join('\n'), /left 2 times/);
});

test('the sweep of a delivery notices a server that sends again what a kill has interrupted', async (t) => {
  const command = labServer('sends-again');
  const row = await sweep(t, {
    command,
    stopsAtViolation: true,
    phases: ['delivery'],
    calls: ['pwrite64'],
    from: 3,
    step: 1,
  });
  if (!row) return;
  // Before the dot it leaves once, and nobody may know so; after it, twice.
  assert.match(row.violations.join('\n'), /is sent, and has to be in_doubt|left 2 times/);
});

const once = { error: 'ENOSPC', lasts: false } as const;
const failedSync = { error: 'EIO', lasts: false } as const;

test('a disk that takes no more is said to the client, before the commit, and everything goes on when it does', async (t) => {
  const row = await breakDisk(t, {
    faults: [{ error: 'ENOSPC', lasts: true }],
    phases: ['accept'],
    calls: ['pwrite64'],
    step: 20,
  });
  if (!row) return;
  assert.deepEqual(row.violations, []);
  assert(row.runs > 1, 'there were failures');
});

test('a write or a sync that fails around a hand-off loses nothing and sends nothing twice', async (t) => {
  const row = await breakDisk(t, { faults: [failedSync], phases: ['delivery'], calls: ['pwrite64'], step: 8 });
  if (!row) return;
  assert.deepEqual(row.violations, []);
  assert(row.runs > 1, 'there were failures');
});

test('the sweep of disk faults notices a server that answers before its commit', async (t) => {
  const command = labServer('answers-early');
  const options: Omit<DiskFaultOptions, 'seed'> = {
    command,
    faults: [once],
    phases: ['accept'],
    calls: ['pwrite64'],
    stopsAtViolation: true,
  };
  const row = await breakDisk(t, options);
  if (!row) return;
  assert.match(row.violations.join('\n'), /was answered 200 and is not in the database/);
});

test('the sweep of disk faults notices a server that says no to what may be on its disk', async (t) => {
  const command = labServer('outlives-unknown-commits');
  const options = {
    command,
    faults: [failedSync],
    phases: ['accept'],
    calls: ['fdatasync'],
    stopsAtViolation: true,
  } as const;
  const row = await breakDisk(t, options);
  if (!row) return;
  assert.match(row.violations.join('\n'), /was answered 503 and is on disk/);
});

test('a full file system is said to the client, and nothing is lost when it has room again', async (t) => {
  const row = await only(t, (common) => runFullDisk({ ...common, rounds: 1 }));
  if (!row) return;
  assert.deepEqual(row.violations, []);
});

test('a wall clock that jumps two days, and back, makes no key forgotten and no mail late', async (t) => {
  const row = await only(t, (common) => runClockJumps({ ...common, jumps: [-2] }));
  if (!row) return;
  assert.deepEqual(row.violations, []);
});

test('the check of clock jumps notices a server whose keys follow the wall clock', async (t) => {
  const row = await only(t, (common) =>
    runClockJumps({ ...common, command: labServer('follows-the-wall-clock'), jumps: [2] }),
  );
  if (!row) return;
  assert.match(row.violations.join('\n'), /was answered [\w-]+, then/);
});

test('answers that a proxy loses, cuts, delays or replaces cost retries, and each mail leaves once', async (t) => {
  const row = await only(t, (common) => runLostAnswers({ ...common, mails: 24 }));
  if (!row) return;
  assert.deepEqual(row.violations, []);
});

test('the watch on the proxy notices a server that says 503 to what it has committed', async (t) => {
  // It does so now and then, and the watch can tell where a request was alone.
  for (let times = 1; ; times++) {
    const row = await only(t, (common) => runLostAnswers({ ...common, command: labServer('refuses-late'), mails: 20 }));
    if (!row || /a 503 left after the commit/.test(row.violations.join('\n'))) return;
    assert.ok(times < 6, 'what was refused after its commit is noticed');
  }
});

test('after a cut of the power all that was answered is on the disk, and nothing that left would leave again', async (t) => {
  const row = await only(t, (common) => runPowerCuts({ ...common, lives: 2, mailsPerLife: 3, end: failedCommit }));
  if (!row) return;
  assert.deepEqual(row.violations, []);
  assert(row.runs > 40, 'there were cuts');
});

test('the power cut notices a server that does not sync its log', async (t) => {
  const options = { command: labServer('syncs-little'), lives: 1, mailsPerLife: 4 };
  const row = await only(t, (common) => runPowerCuts({ ...common, ...options }));
  if (!row) return;
  assert.match(row.violations.join('\n'), /has lost [\w-]+, which was acknowledged/);
});

/** Past those of the start, among those of the first mails. */
const failedCommit = { call: 'fdatasync', what: 'error=EIO', nth: 9 } as const;

test('the power cut notices a server that takes for written what a failed sync has left in its log', async (t) => {
  const options = { command: labServer('trusts-the-log'), lives: 2, mailsPerLife: 3, end: failedCommit };
  const row = await only(t, (common) => runPowerCuts({ ...common, ...options }));
  if (!row) return;
  assert.match(row.violations.join('\n'), /life 2: the disk has lost [\w-]+, which was acknowledged/);
});
