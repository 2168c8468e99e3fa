/** What a soak looks at over time: whether it grows, and a picture of it. */

export type Sample = {
  minutes: number;
  megabytes: number;
  files: number;
  /** Of the open files: sessions with clients, relay and endpoints. */
  sockets: number;
  underWay: number;
  /** How long the oldest mail that is due has waited. */
  overdueSeconds: number;
  accepted: number;
};

/** `allowance`: by how much it may differ for no reason, in its own unit. */
export const series: { name: string; of: (one: Sample) => number; allowance: number; mayGrow?: true }[] = [
  { name: 'minutes', of: (one) => round(one.minutes), allowance: 0, mayGrow: true },
  { name: 'accepted', of: (one) => one.accepted, allowance: 0, mayGrow: true },
  { name: 'memory (MB)', of: (one) => round(one.megabytes), allowance: 30 },
  { name: 'open files', of: (one) => one.files, allowance: 10 },
  { name: 'sockets', of: (one) => one.sockets, allowance: 10 },
  { name: 'under way', of: (one) => one.underWay, allowance: 20 },
  { name: 'oldest overdue (s)', of: (one) => round(one.overdueSeconds), allowance: 5 },
];

/** The middle of the last quarter against the middle of the second one: by then everything is warm. */
export function grown(samples: Sample[]): string[] {
  if (samples.length < 8) return [];
  const quarter = Math.floor(samples.length / 4);
  return series.flatMap(({ name, of, allowance, mayGrow }) => {
    const before = median(samples.slice(quarter, 2 * quarter).map(of));
    const after = median(samples.slice(-quarter).map(of));
    return mayGrow || after <= before * 1.2 + allowance ? [] : [`${name} grew from ${before} to ${after}`];
  });
}

const width = 800;
const height = 90;

/** One strip for each series, from 0 to its highest. */
export function drawCurves(samples: Sample[]): string {
  const shown = series.filter(({ name }) => name !== 'minutes');
  const strips = shown.map(({ name, of }, index) => strip(name, samples.map(of), index * height));
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${shown.length * height}" font-family="sans-serif" font-size="12">
<title>What a soak looked at, over its time</title>
<rect width="100%" height="100%" fill="white"/>\n${strips.join('\n')}\n</svg>\n`;
}

function strip(name: string, all: number[], top: number): string {
  const most = Math.max(1, ...all);
  const points = all.map((value, index) => {
    const x = (index / Math.max(1, all.length - 1)) * (width - 20) + 10;
    const y = top + height - 10 - (value / most) * (height - 35);
    return `${round(x)},${round(y)}`;
  });
  const line = `<polyline fill="none" stroke="#3355bb" stroke-width="1.5" points="${points.join(' ')}"/>`;
  return `<text x="10" y="${top + 16}">${name}: up to ${most}, at the end ${all.at(-1)}</text>${line}`;
}

function median(all: number[]): number {
  return [...all].sort((a, b) => a - b)[Math.floor(all.length / 2)] ?? 0;
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
