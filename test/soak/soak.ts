/**
 * `npm run soak -- [--minutes 60]`: mixed traffic at one process on SQLite that is never killed, in front of a relay that is slow, silent and drops sessions, with people
 * beside it and pauses now and then. Prints what it takes over time, draws it, and exits with 1 where anything grows. `--picture FILE` writes an SVG.
 */

import { readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { fleetSpeed, labServer } from '../lab/lab-server.ts';
import { Life } from '../lab/life.ts';
import { pause } from '../lab/load.ts';
import { createMoods } from '../lab/moods.ts';
import type { LifeOptions } from '../lab/world.ts';
import { drawCurves, grown, type Sample, series } from './curves.ts';

const { values } = parseArgs({
  options: { minutes: { type: 'string', default: '60' }, seed: { type: 'string' }, picture: { type: 'string' } },
});
const minutes = Number(values.minutes);
const seed = Number(values.seed ?? Date.now() % 2 ** 31);
if (!(minutes > 0)) throw new Error('--minutes: a number above 0');

/** A hundred and twenty samples, but not more than one a second. */
const everyMs = Math.max(1_000, (minutes * 60_000) / 120);
const stillMsMax = 1_500;

/** Some six operations a second, which a relay that is often slow or silent keeps up with: a queue that grows would say nothing of the server. */
const restMs = 1_000;

/** What puts mail off has its domain left alone for a while: all mails here are to one. */
const moods: LifeOptions['moods'] = (thinking) =>
  createMoods(thinking).filter(
    ({ name, said }) => said !== 'later' && !['mixedRecipients', 'noRecipient'].includes(name),
  );

const options = { seed, moods, command: labServer(), speed: fleetSpeed };
const life = await Life.start({ ...options, hasPeople: true, trespassing: 0.02, clients: 3, restMs });
const samples: Sample[] = [];
try {
  const { pid, signal } = await life.up();
  life.begin();
  const startedAt = performance.now();
  console.log(`soak: --minutes ${minutes} --seed ${seed}`);
  while (performance.now() - startedAt < minutes * 60_000) {
    await pause(everyMs);
    if (life.random() < 0.1) await standStill(signal);
    const sample = await look(pid, performance.now() - startedAt);
    samples.push(sample);
    console.log(series.map(({ name, of }) => `${name} ${of(sample)}`).join(' · '));
  }
  if (values.picture) writeFileSync(values.picture, drawCurves(samples));
  const { violations } = await life.examine();
  const growing = grown(samples);
  for (const what of [...violations, ...growing]) console.error(`FAILED: ${what}`);
  console.log(`soak: ${violations.length + growing.length === 0 ? 'flat' : 'FAILED'}, ${samples.length} samples`);
  process.exitCode = violations.length + growing.length === 0 ? 0 : 1;
} finally {
  await life.destroy();
}

async function standStill(signal: (name: NodeJS.Signals) => void): Promise<void> {
  signal('SIGSTOP');
  await pause(life.random() * stillMsMax);
  signal('SIGCONT');
}

async function look(pid: number, atMs: number): Promise<Sample> {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const now = life.clock.now();
  const [row] = await life.books.rows<{ oldest: number | null; held: number }>(
    `select (select min(run_at) from deliveries where state = 'queued') as oldest,
       (select count(*) from deliveries where state in ('sending', 'handoff')) as held`,
  );
  return {
    minutes: atMs / 60_000,
    megabytes: Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1_024,
    ...openOf(pid),
    underWay: row?.held ?? 0,
    overdueSeconds: Math.max(0, now - (row?.oldest ?? now)) / 1_000 / life.clock.speed,
    accepted: life.load.answered,
  };
}

/** Files that are closed between two looks are none. */
function openOf(pid: number): Pick<Sample, 'files' | 'sockets'> {
  const open = readdirSync(`/proc/${pid}/fd`).flatMap((name) => {
    try {
      return readlinkSync(`/proc/${pid}/fd/${name}`);
    } catch {
      return [];
    }
  });
  return { files: open.length, sockets: open.filter((name) => name.startsWith('socket:')).length };
}
