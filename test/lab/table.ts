/** The lab's result, a line a fault. */

import type { ClusterFigures, Row } from './row.ts';
import type { Findings } from './world.ts';

type Column = [title: string, cell: (row: Row) => string | number];

const columns: Column[] = [
  ['fault', (row) => row.fault],
  ['runs', (row) => row.runs],
  ['mails', (row) => row.mails],
  ['duplicates', (row) => row.duplicates],
  ['lost', (row) => row.lost],
  ['held', (row) => row.held],
  ['explained', (row) => row.explained],
];

const clusterColumns: Column[] = [
  ['failover', (row) => row.fault],
  ['rounds', (row) => row.runs],
  ['mails', (row) => row.mails],
  ['lost', (row) => row.lost],
  ['twice', (row) => row.duplicates],
  ['stuck', (row) => row.cluster?.stuck ?? 0],
  ['forgotten', (row) => row.cluster?.forgotten ?? 0],
  ['held', (row) => row.held],
  ['needlessly', (row) => row.cluster?.needless ?? 0],
  ['accepts again after', (row) => seconds(row.cluster?.acceptsAgainMs ?? [])],
];

function seconds(all: number[]): string {
  if (all.length === 0) return '';
  const [least, most] = [Math.min(...all), Math.max(...all)].map((ms) => (ms / 1_000).toFixed(1));
  return `${least}..${most} s`;
}

/** Markdown, so that it may be quoted as it is. */
export function renderTable(rows: Row[]): string {
  return render(rows, columns);
}

export function renderClusterTable(rows: Row[]): string {
  return render(rows, clusterColumns);
}

function render(rows: Row[], columns: Column[]): string {
  const shown = rows.filter((row) => row.skipped === undefined);
  const cells = [columns.map(([title]) => title), ...shown.map((row) => columns.map(([, cell]) => String(cell(row))))];
  const widths = columns.map((_, column) => Math.max(...cells.map((line) => line[column]?.length ?? 0)));
  const line = (texts: string[]) => `| ${texts.map((text, column) => pad(text, column, widths)).join(' | ')} |`;
  const rule = `|${widths.map((width, column) => (column === 0 ? '-'.repeat(width + 2) : `${'-'.repeat(width + 1)}:`)).join('|')}|`;
  const [head = [], ...body] = cells;
  return [line(head), rule, ...body.map(line)].join('\n');
}

function pad(text: string, column: number, widths: number[]): string {
  const width = widths[column] ?? 0;
  return column === 0 ? text.padEnd(width) : text.padStart(width);
}

/** One line for many of a kind, so that a README can quote it. */
export function sumRows(fault: string, rows: Row[]): Row {
  const sum = (of: (row: Row) => number) => rows.reduce((total, row) => total + of(row), 0);
  return {
    fault,
    runs: sum((row) => row.runs),
    mails: sum((row) => row.mails),
    duplicates: sum((row) => row.duplicates),
    lost: sum((row) => row.lost),
    held: sum((row) => row.held),
    explained: sum((row) => row.explained),
    violations: rows.flatMap((row) => row.violations),
    failovers: sum((row) => row.failovers ?? 0),
    ...sumClusters(rows.flatMap(({ cluster }) => cluster ?? [])),
  };
}

function sumClusters(all: ClusterFigures[]): Pick<Row, 'cluster'> {
  if (all.length === 0) return {};
  const sum = (of: (one: ClusterFigures) => number) => all.reduce((total, one) => total + of(one), 0);
  return {
    cluster: {
      forgotten: sum((one) => one.forgotten),
      stuck: sum((one) => one.stuck),
      needless: sum((one) => one.needless),
      acceptsAgainMs: all.flatMap((one) => one.acceptsAgainMs),
    },
  };
}

export function rowOf(fault: string, runs: number, findings: Findings): Row {
  const { mails, duplicates, lost, held, explained, violations, failovers } = findings;
  return { fault, runs, mails, duplicates, lost, held, explained, violations, failovers };
}
