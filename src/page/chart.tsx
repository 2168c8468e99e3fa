/** Bars over time as SVG: drawn on the server, named for those who do not see them. */

import type { Tone } from './pieces.tsx';

export type Series = { name: string; tone: Tone };
export type Bucket = { from: number; values: number[] };

const width = 720;
const gapShare = 0.25;

/** Bars are stacked in the order of `series`, whose names are those of `values`. */
export function Bars({
  label,
  series,
  buckets,
  height = 160,
}: {
  label: string;
  series: Series[];
  buckets: Bucket[];
  height?: number;
}) {
  const most = Math.max(1, ...buckets.map((bucket) => sum(bucket.values)));
  const top = niceAbove(most);
  const step = width / buckets.length;
  return (
    <svg
      width="100%"
      height={height}
      viewBox={`0 0 ${width} ${height}`}
      preserveAspectRatio="none"
      role="img"
      aria-label={`${label}: ${series
        .map((one, index) => `${one.name} ${sum(buckets.map((bucket) => bucket.values[index] ?? 0))}`)
        .join(', ')}`}
    >
      {[0.25, 0.5, 0.75].map((share) => (
        <Line y={height * share} />
      ))}
      {buckets.map((bucket, index) => (
        <Bar
          bucket={bucket}
          series={series}
          x={index * step + (step * gapShare) / 2}
          width={step * (1 - gapShare)}
          scale={(height - 2) / top}
          height={height}
        />
      ))}
      <Line y={height - 0.5} />
    </svg>
  );
}

function Line({ y }: { y: number }) {
  return <line x1={0} x2={width} y1={y} y2={y} stroke="var(--line)" vector-effect="non-scaling-stroke" />;
}

type BarOptions = { bucket: Bucket; series: Series[]; x: number; width: number; scale: number; height: number };

function Bar({ bucket, series, x, width, scale, height }: BarOptions) {
  let under = 0;
  const from = `${new Date(bucket.from).toISOString().slice(0, 16).replace('T', ' ')} UTC`;
  return (
    <g>
      <title>{`${from}: ${series.map((one, index) => `${bucket.values[index] ?? 0} ${one.name}`).join(', ')}`}</title>
      <rect fill="transparent" x={x} y={0} width={width} height={height} />
      {series.map((one, index) => {
        const value = (bucket.values[index] ?? 0) * scale;
        if (value === 0) return null;
        under += value;
        return (
          <rect
            class={`tone-${one.tone}`}
            x={round(x)}
            y={round(height - under)}
            width={round(width)}
            height={round(value)}
          />
        );
      })}
    </g>
  );
}

export function Legend({ series }: { series: Series[] }) {
  return (
    <ul class="row muted small">
      {series.map((one) => (
        <li>
          <svg class={`tone-${one.tone}`} width="10" height="10" aria-hidden="true">
            <rect width="10" height="10" rx="3" />
          </svg>{' '}
          {one.name}
        </li>
      ))}
    </ul>
  );
}

/** 1, 2 or 5 times a power of ten: a scale people read. */
export function niceAbove(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 5, 10].map((times) => times * power).find((one) => one >= value) ?? value;
}

function sum(values: number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

function round(value: number): string {
  return value.toFixed(2);
}
