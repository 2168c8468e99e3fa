/** The whole program killed, stopped and paused under load, as a process of its own, with clients that retry. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { killAgainAndAgain, summaryOf } from './kills.ts';
import { pause } from './load.ts';
import { Run } from './run.ts';

test('25 kills at random moments lose nothing, send nothing twice, and leave in doubt only what they interrupted', async (t) => {
  const seed = Date.now() % 2 ** 31;
  t.diagnostic(`--seed ${seed}`);
  const startedAt = performance.now();
  const findings = await killAgainAndAgain({ kills: 25, seed });
  t.diagnostic(`25 kills in ${Math.round(performance.now() - startedAt)} ms: ${summaryOf(findings)}`);
  assert.deepEqual(findings.violations, []);
  assert.equal(findings.inDoubt, findings.interrupted, 'every interrupted hand-off is in doubt, and nothing else');
  assert(findings.keys > 200, 'there was a load');
});

test('SIGTERM under load leaves nothing in doubt and sends nothing twice', async (t) => {
  const run = await Run.start(1);
  t.after(() => run.destroy());
  run.load.start();
  for (let stop = 0; stop < 4; stop++) {
    const program = await run.up();
    await run.load.answeredMore(20);
    const { code } = await run.terminate(program);
    assert.equal(code, 0, program.words());
    assert.deepEqual(run.openHandoffs(), [], 'what was claimed is handed back, what was handed off has its verdict');
  }
  await run.up();
  const findings = await run.examine();
  t.diagnostic(summaryOf(findings));
  assert.deepEqual(findings.violations, []);
  assert.equal(findings.inDoubt, 0);
});

test('a process that is paused for longer than its clients wait goes on where it was', async (t) => {
  const run = await Run.start(2);
  t.after(() => run.destroy());
  run.load.start();
  const program = await run.up();
  await run.load.answeredMore(50);
  program.signal('SIGSTOP');
  await pause(1_500);
  program.signal('SIGCONT');
  await run.load.answeredMore(50);
  const findings = await run.examine();
  t.diagnostic(summaryOf(findings));
  assert.deepEqual(findings.violations, []);
  assert.equal(findings.inDoubt, 0);
});
