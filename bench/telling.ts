/** Line e: mails handed to a relay beside a webhook that never answers, against the same program without webhooks. */

import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import type { Plan } from './accepting.ts';
import { compareMails, startDelivering } from './delivering.ts';
import { apiKey } from './requests.ts';
import type { Summary } from './rounds.ts';

export async function compareBesideDeadWebhook(plan: Plan): Promise<Summary> {
  const alone = await startDelivering(plan, 'without-webhooks');
  const beside = await startDelivering(plan, 'beside-webhook', { EGRESS_ALLOW: '127.0.0.0/8' });
  const dead = await startDeadEndpoint();
  await createWebhook(beside.port, dead.url);
  const summary = await compareMails(plan, {
    what: 'e  mails to an SMTP sink beside a webhook that never answers : without webhooks',
    aim: 0.9,
    subject: beside.deliver,
    baseline: alone.deliver,
  });
  await Promise.all([alone.stop(), beside.stop()]);
  if (dead.connections() === 0) throw new Error('nobody tried to tell the webhook');
  dead.stop();
  return summary;
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
