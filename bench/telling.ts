/** Lines webhook-dead and endpoint-dead: mails, and events told to an endpoint that answers, beside an endpoint that never does; against the same without it. */

import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import type { Plan } from './accepting.ts';
import { compareMails, startDelivering } from './delivering.ts';
import { apiKey } from './requests.ts';
import type { Round, Summary } from './rounds.ts';

const heard = { EGRESS_ALLOW: '127.0.0.0/8' };

export async function compareBesideDeadWebhook(plan: Plan): Promise<Summary> {
  const alone = await startDelivering(plan, 'without-webhooks');
  const beside = await startDelivering(plan, 'beside-webhook', { settings: heard });
  const dead = await startDeadEndpoint();
  await createWebhook(beside.port, dead.url);
  const summary = await compareMails(plan, {
    what: 'mails to an SMTP sink beside a webhook that never answers : without webhooks',
    aim: 0.9,
    subject: beside.deliver,
    baseline: alone.deliver,
  });
  await Promise.all([alone.stop(), beside.stop()]);
  if (dead.connections() === 0) throw new Error('nobody tried to tell the webhook');
  dead.stop();
  return summary;
}

/** The time between events that arrive at an endpoint which answers at once. */
export async function compareBesideDeadEndpoint(plan: Plan): Promise<Summary> {
  const alone = await startTelling(plan, 'endpoint-alone');
  const beside = await startTelling(plan, 'endpoint-beside');
  const dead = await startDeadEndpoint();
  await createWebhook(beside.port, dead.url);
  const summary = await compareMails(plan, {
    what: 'events to an endpoint beside one that never answers : the endpoint alone',
    aim: 0.9,
    subject: beside.tell,
    baseline: alone.tell,
  });
  await Promise.all([alone.stop(), beside.stop()]);
  if (dead.connections() === 0) throw new Error('nobody tried to tell the webhook');
  dead.stop();
  return summary;
}

/** The real program, and an endpoint that hears of each mail it sends. */
async function startTelling(plan: Plan, name: string) {
  const delivering = await startDelivering(plan, name, { settings: heard });
  const endpoint = await startEndpoint();
  await createWebhook(delivering.port, endpoint.url);
  return {
    port: delivering.port,
    async tell(mails: number): Promise<Round> {
      const heard = endpoint.hear(mails);
      await delivering.deliver(mails);
      return heard;
    },
    async stop() {
      await delivering.stop();
      endpoint.stop();
    },
  };
}

async function startEndpoint() {
  let onEvent = () => {};
  const server = createHttpServer((request, response) => {
    request.resume();
    request.on('end', () => {
      response.end();
      onEvent();
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    /** From the first of so many events to the last. */
    hear: (events: number) =>
      new Promise<Round>((resolve) => {
        const gaps: number[] = [];
        const startedAt = { first: 0, last: 0 };
        onEvent = () => {
          const now = performance.now();
          if (startedAt.first === 0) startedAt.first = now;
          else gaps.push(now - startedAt.last);
          startedAt.last = now;
          if (gaps.length + 1 < events) return;
          const elapsedMs = now - startedAt.first;
          resolve({ done: gaps.length, elapsedMs, latenciesMs: Float64Array.from(gaps), cpuSeconds: null });
        };
      }),
    stop() {
      server.closeAllConnections();
      server.close();
    },
  };
}

/** Takes connections and says nothing. */
async function startDeadEndpoint() {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.resume();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    connections: () => sockets.size,
    stop() {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}

async function createWebhook(port: number, endpoint: string): Promise<void> {
  const response = await fetch(`http://127.0.0.1:${port}/webhooks`, {
    method: 'POST',
    headers: { authorization: `Bearer ${apiKey}`, 'content-type': 'application/json' },
    body: JSON.stringify({ endpoint, events: ['email.sent'] }),
  });
  if (response.status !== 201) throw new Error(`the webhook was not made: ${await response.text()}`);
}
