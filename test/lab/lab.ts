/** The whole matrix: `npm run lab -- [--seed N] [--scale 0.1] [--only WORDS]…`. Prints one table, and exits with 1 when anything is wrong. */

import { parseArgs } from 'node:util';
import { runClockJumps } from './clock-jumps.ts';
import { clusterLines } from './cluster-lines.ts';
import { runDiskFaults } from './disk-faults.ts';
import { runFullDisk } from './full-disk.ts';
import { bites, controls } from './guards.ts';
import { runKillSweeps } from './kill-sweep.ts';
import { runLateNotices } from './late-notices.ts';
import { runLostAnswers } from './lost-answers.ts';
import { runPowerCuts } from './power-cut.ts';
import { restoreAgainAndAgain } from './restore.ts';
import type { Row } from './row.ts';
import {
  brokenTls,
  heardKills,
  heardMischief,
  keyedRequests,
  mixedKills,
  mixedMischief,
  moodsAlone,
  peopleAndKills,
  peopleAndMischief,
  plainKills,
  plainMischief,
  rollingRestarts,
  routedKills,
  routedMischief,
  type Scale,
} from './scenarios.ts';
import { neverTaken, renderSometimes } from './sometimes.ts';
import { renderClusterTable, renderTable, sumRows } from './table.ts';
import { upgradeUnderKills } from './upgrades.ts';
import { runUpstreamDoubts } from './upstream-doubts.ts';

const { values } = parseArgs({
  options: { seed: { type: 'string' }, scale: { type: 'string' }, only: { type: 'string', multiple: true } },
});
const seed = Number(values.seed ?? Date.now() % 2 ** 31);
const factor = Number(values.scale ?? 1);
const times = (count: number) => Math.max(1, Math.round(count * factor));
const startedAt = performance.now();
let lastSaid = 0;

type Scenario = { name: string; run: (scale: Scale) => Promise<Row[]> };

const scenarios: Scenario[] = [
  { name: 'kill -9', run: async (scale) => [await plainKills(times(300), scale)] },
  { name: 'kills and stops, hold', run: async (scale) => [await mixedKills(times(1_000), 'hold', scale)] },
  { name: 'kills and stops, send-again', run: async (scale) => [await mixedKills(times(300), 'send-again', scale)] },
  { name: 'kills and stops, webhooks', run: async (scale) => [await heardKills(times(100), scale)] },
  { name: 'people, kills', run: async (scale) => [await peopleAndKills(times(300), scale)] },
  { name: 'relays, kills', run: async (scale) => [await routedKills(times(1_000), scale)] },
  { name: 'rolling restarts', run: async (scale) => [await rollingRestarts(times(100), scale)] },
  { name: 'backup put back', run: async (scale) => [await restoreAgainAndAgain({ times: times(10), ...scale })] },
  { name: 'relay: TLS that fails', run: async (scale) => [await brokenTls(times(100), scale)] },
  { name: 'system calls', run: runKillSweeps },
  { name: 'disk faults', run: runDiskFaults },
  { name: 'full disk', run: runFullDisk },
  { name: 'power cut', run: (scale) => runPowerCuts({ ...scale, lives: times(20) }) },
  { name: 'clock jumps', run: runClockJumps },
  { name: 'answers lost', run: (scale) => runLostAnswers({ ...scale, mails: times(400) }) },
  { name: 'upstream doubts', run: (scale) => runUpstreamDoubts({ ...scale, doubts: times(500) }) },
  {
    name: 'notices late and twice',
    run: async (scale) => [await runLateNotices({ ...scale, engine: 'sqlite', kills: times(40) })],
  },
  { name: 'PostgreSQL: keys', run: async (scale) => [await keyedRequests(times(10_000), scale)] },
  { name: 'PostgreSQL: as shipped', run: async (scale) => [await plainMischief(times(200), scale)] },
  { name: 'PostgreSQL: hold', run: async (scale) => [await mixedMischief(times(1_000), 'hold', scale)] },
  { name: 'PostgreSQL: send-again', run: async (scale) => [await mixedMischief(times(300), 'send-again', scale)] },
  { name: 'PostgreSQL: webhooks', run: async (scale) => [await heardMischief(times(100), scale)] },
  { name: 'PostgreSQL: relays', run: async (scale) => [await routedMischief(times(300), scale)] },
  { name: 'PostgreSQL: people', run: async (scale) => [await peopleAndMischief(times(300), scale)] },
  {
    name: 'PostgreSQL: notices late and twice',
    run: async (scale) => [await runLateNotices({ ...scale, engine: 'postgres', kills: times(40) })],
  },
  ...clusterLines(times),
  {
    name: 'upgrade',
    run: (scale) => upgradeUnderKills({ engine: 'sqlite', step: Math.ceil(1 / factor), ...scale }),
  },
  {
    name: 'PostgreSQL: upgrade',
    run: (scale) => upgradeUnderKills({ engine: 'postgres', step: Math.ceil(3 / factor), ...scale }),
  },
  { name: 'relay: each mood', run: (scale) => moodsAlone(times(30), scale) },
];

console.log(`lab: --seed ${seed}${factor === 1 ? '' : ` --scale ${factor}`}`);
const rows: Row[] = [];
const failures: string[] = [];
const names = [...scenarios.map(({ name }) => name), ...controls.map(({ guard }) => `guard: ${guard}`)];
if (!names.some((name) => isWanted({ name })))
  failures.push(`nothing is called "${values.only}": ${names.join(' · ')}`);
for (const { name, run } of scenarios.filter(isWanted)) {
  for (const row of await run({ seed, onProgress })) {
    rows.push(row);
    for (const violation of row.violations) failures.push(`${row.fault}: ${violation}`);
  }
  say(`${name}: done`);
}
sometimes();
const switchedOff: Row[] = [];
for (const control of controls.filter(({ guard }) => isWanted({ name: `guard: ${guard}` }))) {
  say(`guard off: ${control.guard}`);
  const row = await control.run({ seed, onProgress });
  switchedOff.push({ ...row, fault: row.fault === control.guard ? row.fault : `without "${control.guard}"` });
  if (row.skipped === undefined && !bites(control, row))
    failures.push(`without "${control.guard}" nobody noticed anything`);
}
report();

function isWanted({ name }: { name: string }): boolean {
  return values.only === undefined || values.only.some((words) => name.includes(words));
}

/** One line that moves on a terminal; a line now and then in a log. */
function onProgress(text: string): void {
  if (process.stdout.isTTY) process.stdout.write(`\r\x1b[K${elapsed()} ${text}`);
  else if (performance.now() - lastSaid > 10_000) say(text);
}

function say(text: string): void {
  lastSaid = performance.now();
  console.log(`${process.stdout.isTTY ? '\r\x1b[K' : ''}${elapsed()} ${text}`);
}

function elapsed(): string {
  return `[${String(Math.round((performance.now() - startedAt) / 1_000)).padStart(4)} s]`;
}

/** One example of each kind of sentence, ids and numbers aside, and how many there are of it. */
function kindsOf(all: string[]): [string, number][] {
  const kinds = new Map<string, [string, number]>();
  for (const text of all) {
    const kind = text.replace(/[0-9a-f-]{36}|\S+@\S+|\d+/g, '');
    const known = kinds.get(kind);
    kinds.set(kind, known ? [known[0], known[1] + 1] : [text, 1]);
  }
  return [...kinds.values()].slice(0, 40);
}

/** A whole run takes each rare path, with all guards on. */
function sometimes(): void {
  const never = neverTaken();
  console.log(`\n${renderSometimes()}`);
  if (factor >= 1 && values.only === undefined) failures.push(...never.map((path) => `it never happened that ${path}`));
}

function report(): void {
  const moods = rows.filter(({ fault }) => fault.startsWith('relay: '));
  const clusters = rows.filter(({ cluster }) => cluster);
  const others = rows.filter((row) => !moods.includes(row) && !clusters.includes(row));
  const summed = moods.length > 1 ? [sumRows('each relay mood by itself, no kill', moods)] : moods;
  if (others.length + summed.length > 0) console.log(`\n${renderTable([...others, ...summed])}`);
  if (clusters.length > 0) console.log(`\n${renderClusterTable(clusters)}`);
  if (moods.length > 1) console.log(`\nThe moods one by one:\n\n${renderTable(moods)}`);
  if (switchedOff.length > 0) console.log(`\nGuards switched off, which must be seen:\n\n${renderTable(switchedOff)}`);
  for (const { fault, skipped } of [...rows, ...switchedOff])
    if (skipped !== undefined) console.log(`\nNOT RUN: ${fault}: ${skipped}`);
  for (const [example, count] of kindsOf(failures))
    console.log(`\nFAILED${count > 1 ? ` ${count} times, once` : ''}: ${example}`);
  const verdict = failures.length === 0 ? 'held' : `FAILED (${failures.length})`;
  console.log(`\nlab: ${verdict}, --seed ${seed}, ${elapsed()}`);
  process.exitCode = failures.length === 0 ? 0 : 1;
}
