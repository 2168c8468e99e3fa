/**
 * `npm run siege`: attacks the real program with all that stops servers, serves ordinary requests beside it, and prints how they
 * fared and how much memory the server took. Ends with 1 where a bound is passed. `--only a,b` runs these attacks only.
 */

import { parseArgs } from 'node:util';
import type { Attack } from './attacks.ts';
import { raise } from './stand.ts';

const mebibyte = 1024 * 1024;

/** `p99Ms` null: sixteen of the largest legal requests are work, not an attack, and may take their time. */
const attacks: { what: string; attack: Attack; p99Ms: number | null }[] = [
  { what: 'a calm day', attack: { name: 'none', count: 0, bytes: 0, ms: 15_000 }, p99Ms: 250 },
  { what: '200 connections, 1 B/s', attack: { name: 'trickle', count: 200, bytes: 0, ms: 40_000 }, p99Ms: 250 },
  { what: '16 stalled, 63 MiB', attack: { name: 'stalled', count: 16, bytes: 63 * mebibyte, ms: 30_000 }, p99Ms: 250 },
  { what: '100 gzip bombs, 1 GiB', attack: { name: 'gzip', count: 100, bytes: 1024 * mebibyte, ms: 0 }, p99Ms: 250 },
  { what: '64 MiB of [{},…] ×10', attack: { name: 'flood', count: 10, bytes: 64 * mebibyte, ms: 0 }, p99Ms: 250 },
  { what: '16 largest, 64 MiB', attack: { name: 'largest', count: 16, bytes: 64 * mebibyte, ms: 0 }, p99Ms: null },
];
const warmUp: Attack = { name: 'none', count: 0, bytes: 0, ms: 3_000 };
const memoryMbMax = 700;

const { values } = parseArgs({ options: { only: { type: 'string' } } });
const only = values.only?.split(',');
const rows = [['', 'requests', 'failed', 'p50', 'p99', 'max', 'memory', 'answers to the attack']];
let isHeld = true;
for (const { what, attack, p99Ms } of attacks) {
  if (only && !only.includes(attack.name)) continue;
  const stand = await raise(process.env.ROLE ? { ROLE: process.env.ROLE } : {});
  await stand.withstand(warmUp);
  const { beside, answers } = await stand.withstand(attack);
  await stand.stop();
  const { requests, failed, peakMb } = beside;
  if (failed > 0 || peakMb > memoryMbMax || (p99Ms !== null && beside.p99Ms > p99Ms)) isHeld = false;
  const told = Object.entries(answers).map(([status, count]) => `${count} × ${status === '0' ? 'hung up' : status}`);
  const times = [beside.p50Ms, beside.p99Ms, beside.maxMs].map((ms) => `${ms.toFixed(0)} ms`);
  rows.push([what, `${requests}`, `${failed}`, ...times, `${peakMb.toFixed(0)} MB`, told.join(', ')]);
  console.error(rows.at(-1)?.join('  '));
}
const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
for (const row of rows)
  console.log(
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
console.log(isHeld ? 'held' : 'NOT HELD: p99 under 250 ms, memory under 700 MB, and no ordinary request failed');
process.exit(isHeld ? 0 : 1);
