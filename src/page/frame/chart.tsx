/** Bars over time as SVG: drawn on the server, named for those who do not see them. */

import type { Tone } from './pieces.tsx';

export type Series = { name: string; tone: Tone };
export type Bucket = { from: number; values: number[] };

const width = 720;
const gapShare = 0.25;

/** Bars are stacked in the order of `series`, whose names are those of `values`; beside them stands the scale they are read by. */
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
  const top = niceAbove(Math.max(2, ...buckets.map((bucket) => sum(bucket.values))));
  const step = width / buckets.length;
  return (
    <div class="chart">
      <ol class="muted small" aria-hidden="true">
        {[top, top / 2, 0].map((value) => (
          <li>{value.toLocaleString('en-US')}</li>
        ))}
      </ol>
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
        <Line y={0.5} />
        <Line y={height / 2} />
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
    </div>
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

/** 2, 4, 6 or 10 times a power of ten: a scale people read, and its half a whole number. */
function niceAbove(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value));
  return [2, 4, 6, 10, 20].map((times) => times * power).find((one) => one >= value) ?? value;
}

function sum(values: number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

function round(value: number): string {
  return value.toFixed(2);
}
