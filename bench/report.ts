/** The table the benchmark prints. */

import { cpus } from 'node:os';
import type { Disk } from './disk.ts';
import type { Figures, Summary } from './rounds.ts';

export function renderMachine(when: string, disk: Disk): string {
  const [cpu] = cpus();
  const kind = disk.isMemory ? 'IN MEMORY, NOT DURABLE (set TMPDIR to a disk)' : 'disk';
  return [
    `node ${process.version}, ${cpus().length} × ${cpu?.model.trim()}`,
    `${kind}, ${when}: fdatasync of 4 kB p50 ${ms(disk.syncP50Ms)}, p99 ${ms(disk.syncP99Ms)}`,
  ].join('\n');
}

const head = [
  '',
  'per s',
  'p50',
  'p99',
  'CPU each',
  'memory',
  'loop p99',
  'sink',
  'ratio (min..max)',
  'CPU ratio',
  'aim',
];

/** By the names that `--only` takes. */
export type Summaries = Readonly<Record<string, Summary>>;

export function renderTable(summaries: Summaries): string {
  const rows = [head, ...Object.entries(summaries).flatMap(([name, summary]) => rowsOf(name, summary))];
  const widths = head.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows.map((row) => render(row, widths)).join('\n');
}

/** For programs: `lines.accepts.ratio` is the median of the rounds' ratios. */
export function renderJson(summaries: Summaries, disks: { before: Disk; after: Disk }): string {
  const lines = Object.entries(summaries).map(([name, { ratio, ...rest }]) => {
    const { median, min, max } = ratio;
    return [name, { ratio: median, ratioMin: min, ratioMax: max, ...rest }];
  });
  const [cpu] = cpus();
  const machine = { node: process.version, cpus: cpus().length, cpu: cpu?.model.trim(), disks };
  return `${JSON.stringify({ machine, lines: Object.fromEntries(lines) }, null, 2)}\n`;
}

function rowsOf(line: string, { what, subject, baseline, ratio, cpuRatio, aim }: Summary): string[][] {
  const [name = '', against = ''] = what.split(' : ');
  const spread = `${two(ratio.median)} (${two(ratio.min)}..${two(ratio.max)})`;
  return [
    [`${line}: ${name}`, ...figures(subject), spread, cpuRatio === null ? '?' : two(cpuRatio), `${aim}`],
    [`   against ${against}`, ...figures(baseline), '', '', ''],
  ];
}

function figures({ perSecond, p50Ms, p99Ms, cpuMicros, peakMb, loopP99Ms, sinkShare }: Figures): string[] {
  const cpu = cpuMicros === null ? '?' : `${cpuMicros.toFixed(0)} µs`;
  const memory = peakMb === null ? '' : `${peakMb.toFixed(0)} MB`;
  const loop = loopP99Ms === null ? '' : ms(loopP99Ms);
  const sink = sinkShare === null ? '' : two(sinkShare);
  return [Math.round(perSecond).toLocaleString('en'), ms(p50Ms), ms(p99Ms), cpu, memory, loop, sink];
}

function render(row: string[], widths: number[]): string {
  const cells = row.map((cell, column) =>
    column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0),
  );
  return cells.join('  ').trimEnd();
}

function ms(value: number): string {
  return `${value.toFixed(2)} ms`;
}

function two(value: number): string {
  return value.toFixed(2);
}
