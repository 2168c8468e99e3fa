/** The whole program killed, stopped and paused under load, as a process of its own, with clients that retry. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { deliveriesIn } from './books.ts';
import { killAgainAndAgain, summaryOf } from './kills.ts';
import { fleetSpeed, labServer, labSpeed } from './lab-server.ts';
import { Life } from './life.ts';
import { pause } from './load.ts';
import { clearMoods, createMoods } from './moods.ts';
import type { Program } from './program.ts';
import { type LifeOptions, thoughtful } from './world.ts';

test('six kills at random moments lose nothing, send nothing twice, and leave in doubt only what they interrupted', async (t) => {
  const seed = Date.now() % 2 ** 31;
  t.diagnostic(`--seed ${seed}`);
  const startedAt = performance.now();
  const findings = await killAgainAndAgain({ kills: 6, seed, moods: thoughtful });
  t.diagnostic(`6 kills in ${Math.round(performance.now() - startedAt)} ms: ${summaryOf(findings)}`);
  assert.deepEqual(findings.violations, []);
  assert.equal(findings.held - findings.worn, findings.interrupted, 'every interrupted hand-off is in doubt');
  assert(findings.keys > 40, 'there was a load');
});

for (const policy of ['hold', 'send-again'] as const) {
  test(`kills, pauses and stops before a relay in every mood: \`${policy}\` keeps what it promises`, async (t) => {
    const seed = Date.now() % 2 ** 31;
    t.diagnostic(`--seed ${seed}`);
    const findings = await killAgainAndAgain({
      kills: 3,
      seed,
      policy,
      isMixed: true,
      moods: createMoods,
      badGreetings: 10,
      command: labServer(),
      speed: labSpeed,
    });
    t.diagnostic(summaryOf(findings));
    assert.deepEqual(findings.violations, []);
    if (policy === 'hold') assert.equal(findings.duplicates, 0);
    assert.equal(findings.lost, 0);
  });
}

test('people who cancel, reschedule, settle, suppress, change webhooks and revoke keys beside kills are told what holds', async (t) => {
  const seed = Date.now() % 2 ** 31;
  t.diagnostic(`--seed ${seed}`);
  const everything = { moods: createMoods, badGreetings: 10, command: labServer(), speed: fleetSpeed };
  const findings = await killAgainAndAgain({ kills: 4, seed, isMixed: true, hasPeople: true, ...everything });
  t.diagnostic(summaryOf(findings));
  assert.deepEqual(findings.violations, []);
  assert.equal(findings.duplicates, 0);
  for (const [kind, count] of Object.entries(findings.done))
    assert(count > 0, `somebody was told that ${kind} were done`);
});

test('kill -9 again and again: every event is told at least once, in one way, each email in order, and none is made up', async (t) => {
  const seed = Date.now() % 2 ** 31;
  t.diagnostic(`--seed ${seed}`);
  const findings = await killAgainAndAgain({
    kills: 2,
    seed,
    isHeard: true,
    moods: clearMoods,
    command: labServer(),
    speed: labSpeed,
  });
  t.diagnostic(summaryOf(findings));
  assert.deepEqual(findings.violations, []);
  assert(findings.told > findings.mails / 2, 'there was something to tell');
});

test('SIGTERM under load leaves nothing in doubt and sends nothing twice', async (t) => {
  const life = await Life.start({ seed: 1, moods: thoughtful });
  t.after(() => life.destroy());
  life.begin();
  for (let stop = 0; stop < 2; stop++) {
    const program = await life.up();
    await life.load.answeredMore(15);
    const { code } = await life.terminate(program);
    assert.equal(code, 0, program.words());
    const open = await deliveriesIn(life.books, 'handoff', 'sending', 'in_doubt');
    assert.deepEqual(open, [], 'what was claimed is handed back, what was handed off has its verdict');
  }
  await life.up();
  const findings = await life.examine();
  t.diagnostic(summaryOf(findings));
  assert.deepEqual(findings.violations, []);
  assert.equal(findings.held, 0);
});

test('a process that is paused for longer than its clients wait goes on where it was', async (t) => {
  const life = await Life.start({ seed: 2, moods: thoughtful });
  t.after(() => life.destroy());
  life.begin();
  const program = await life.up();
  await life.load.answeredMore(50);
  program.signal('SIGSTOP');
  await pause(1_500);
  program.signal('SIGCONT');
  await life.load.answeredMore(50);
  const findings = await life.examine();
  t.diagnostic(summaryOf(findings));
  assert.deepEqual(findings.violations, []);
  assert.equal(findings.held, 0);
});

test('what a kill left in doubt is said in the log once, loudly, and not again at the next start', async (t) => {
  const silent: LifeOptions['moods'] = (thinking) =>
    createMoods(thinking).filter(({ name }) => name === 'silenceAtDot');
  const life = await Life.start({ seed: 3, moods: silent, clients: 2 });
  t.after(() => life.destroy());
  const first = await life.up();
  life.begin();
  while (!life.relay.transactions.some(({ dot }) => dot)) await pause(5);
  await life.kill(first);
  life.load.abandon();
  const cries = (program: Program) => program.words().match(/IN DOUBT/g)?.length ?? 0;
  const second = await life.up();
  assert.equal(cries(second), life.interrupted.size);
  assert(life.interrupted.size > 0, 'something was handed off');
  await life.kill(second);
  assert.equal(cries(await life.up()), 0);
});
