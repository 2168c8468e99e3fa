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

const head = ['', 'per s', 'p50', 'p99', 'CPU each', 'ratio (min..max)', 'CPU ratio', 'aim'];

export function renderTable(summaries: Summary[]): string {
  const rows = [head, ...summaries.flatMap(rowsOf)];
  const widths = head.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows.map((row) => render(row, widths)).join('\n');
}

function rowsOf({ what, subject, baseline, ratio, cpuRatio, aim }: Summary): string[][] {
  const [name = '', against = ''] = what.split(' : ');
  const spread = `${two(ratio.median)} (${two(ratio.min)}..${two(ratio.max)})`;
  return [
    [name, ...figures(subject), spread, cpuRatio === null ? '?' : two(cpuRatio), `${aim}`],
    [`   against ${against}`, ...figures(baseline), '', '', ''],
  ];
}

function figures({ perSecond, p50Ms, p99Ms, cpuMicros }: Figures): string[] {
  const cpu = cpuMicros === null ? '?' : `${cpuMicros.toFixed(0)} µs`;
  return [Math.round(perSecond).toLocaleString('en'), ms(p50Ms), ms(p99Ms), cpu];
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
