/** Takes the mails of both sides, tells when a round's have come, and how long each took from MAIL to the final dot. */

import { type Sink, startSink } from '../test/support/smtp-sink.ts';
import type { Mode } from '../test/support/smtp-sink-modes.ts';
import { serveHelper } from './child.ts';

/** Waits for `count` mails more than the last round left, or looks for Message-IDs. */
export type SinkOrder = { await: 'first' } | { await: 'all'; count: number } | { missing: string[] };

export type SinkReport = {
  port: number;
  /** Of the round: from its first mail to its last. */
  elapsedMs: number;
  latenciesMs: Float64Array;
  duplicates: number;
  /** How many of the Message-IDs asked for it has not taken exactly once. */
  missing: number;
};

let latencies: number[] = [];
let before = 0;
let firstAt = 0;
let lastAt = 0;

/** The sink looks at `dot` once it has read the final one. */
function timed(): Mode {
  const startedAt = performance.now();
  return {
    get dot() {
      lastAt = performance.now();
      if (latencies.length === 0) firstAt = lastAt;
      latencies.push(lastAt - startedAt);
      return undefined;
    },
  };
}

const sink: Sink = await startSink({ keepBytes: false, behave: timed });

serveHelper<SinkOrder, SinkReport>(report(0), async (order) => {
  if ('missing' in order) return report(order.missing.filter((id) => sink.copies(id) !== 1).length);
  await sink.waitFor(before + (order.await === 'first' ? 1 : order.count));
  const done = report(0);
  if (order.await === 'all') {
    before = sink.count;
    latencies = [];
  }
  return done;
});

function report(missing: number): SinkReport {
  const { port } = sink;
  const latenciesMs = Float64Array.from(latencies);
  return { port, elapsedMs: lastAt - firstAt, latenciesMs, duplicates: sink.duplicates().length, missing };
}
