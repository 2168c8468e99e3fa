/** What single sends and replays are compared with: the same HTTP library parses the same body and answers, and does nothing else. */

import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createAdaptorServer } from '@hono/node-server';
import { Hono } from 'hono';
import { serveHelper } from './child.ts';

const app = new Hono();
app.post('/emails', async (context) => {
  await context.req.json();
  return context.json({ id: '0198f3a1-7c00-7000-8000-000000000000' });
});

const server = createAdaptorServer({ fetch: app.fetch }) as Server;
server.listen(0, '127.0.0.1', () => {
  const { port } = server.address() as AddressInfo;
  serveHelper({ port }, async () => ({ port }));
});
