/** An outbox's figures for Prometheus. */

import { createServer, type Server } from 'node:http';
import type { DrainProgress } from './drain.ts';
import type { OutboxDatabase } from './engine.ts';
import { readStatus } from './people.ts';

export async function renderMetrics(database: OutboxDatabase, progress: DrainProgress): Promise<string> {
  const { oldestMs, waiting, parked, heldUp } = await readStatus(database);
  return `${[
    '# TYPE sendonce_outbox_rows gauge',
    `sendonce_outbox_rows{state="waiting"} ${waiting}`,
    `sendonce_outbox_rows{state="held_up"} ${heldUp}`,
    `sendonce_outbox_rows{state="parked"} ${parked}`,
    '# TYPE sendonce_outbox_oldest_seconds gauge',
    `sendonce_outbox_oldest_seconds ${(oldestMs ?? 0) / 1_000}`,
    '# TYPE sendonce_outbox_settled_total counter',
    `sendonce_outbox_settled_total{outcome="sent"} ${progress.sent}`,
    `sendonce_outbox_settled_total{outcome="parked"} ${progress.parked}`,
    `sendonce_outbox_settled_total{outcome="later"} ${progress.later}`,
  ].join('\n')}\n`;
}

/** On this machine only: it is for a collector beside it. */
export function serveMetrics(port: number, render: () => Promise<string>): Server {
  const server = createServer((_, response) => {
    render().then(
      (text) => response.setHeader('content-type', 'text/plain; version=0.0.4').end(text),
      () => response.writeHead(503).end(),
    );
  });
  return server.listen(port, '127.0.0.1');
}
