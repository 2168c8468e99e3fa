/** Every page there is, by the table of routes itself: a page that is added is read as well, or says why not. */

import { Hono } from 'hono';
import type { Bindings } from '../../src/http/call.ts';
import type { PageParts } from '../../src/page/frame/visit.ts';
import { addPageRoutes } from '../../src/page/routes.tsx';
import { keepStray } from '../../src/store/stray-notices.ts';
import { openDatabase } from '../support/engine.ts';
import { message, type TestServer } from '../support/server.ts';

/** What is no page of ours: files, a mail's own HTML, a stream, an old address. */
const noPages = new Set([
  '/emails.csv',
  '/emails/:id/html',
  '/emails/:id/eml',
  '/templates/:id/html',
  '/broadcasts/:id/html',
  '/keys',
  '/live',
]);

/** As they are written in the table, without `/dashboard`. The inbox is there where mail is captured. */
export function pagePaths(): string[] {
  const app = new Hono<Bindings>();
  addPageRoutes(app, { facts: { relay: () => 'capture' } } as PageParts);
  const paths = app.routes
    .filter(({ method, path }) => method === 'GET' && path.startsWith('/dashboard') && !path.includes('/assets/'))
    .map(({ path }) => path.slice('/dashboard'.length));
  return [...new Set(paths)].filter((path) => !noPages.has(path));
}

/** One of each thing a person manages, and where its page is, by the path of the table. */
export async function makeOneOfEach(server: TestServer, receiverUrl: string): Promise<Record<string, string>> {
  const make = async (path: string, body: object) => (await server.call('POST', path, body)).json.id as string;
  const email = await make('/emails', message({ subject: 'One of each' }));
  const hook = await make('/webhooks', { endpoint: `${receiverUrl}/each`, events: ['email.sent'] });
  await make('/emails', message({ subject: 'Told' }));
  const told = async () =>
    (await server.call('GET', `/webhooks/${hook}/events`)).json.data[0]?.id as string | undefined;
  await server.until('the webhook is told', async () => (await told()) !== undefined);
  await make('/domains', { name: 'each.example.com' });
  await server.call('POST', '/suppressions', { email: 'each@example.com' });
  const template = await make('/templates', { name: 'Each', subject: 'Hi {{{NAME}}}', html: '<p>{{{NAME}}}</p>' });
  const segment = await make('/segments', { name: 'Each' });
  const contact = await make('/contacts', { email: 'each@example.com', segments: [{ id: segment }] });
  const news = { segment_id: segment, from: 'a@example.com', subject: 'Each', html: '<p>Each</p>' };
  const broadcast = await make('/broadcasts', news);
  await server.call('POST', '/accounts', { name: 'each' });
  await strayIn(server);
  return {
    '/emails/:id': `/emails/${email}`,
    '/webhooks/:id': `/webhooks/${hook}`,
    '/webhooks/:id/:event': `/webhooks/${hook}/${await told()}`,
    '/templates/:id': `/templates/${template}`,
    '/contacts/:id': `/contacts/${contact}`,
    '/broadcasts/:id': `/broadcasts/${broadcast}`,
    '/accounts/:name': '/accounts/each',
    '/notices/:id': '/notices/1',
    '/inbox/:id': `/inbox/${email}`,
  };
}

async function strayIn(server: TestServer): Promise<void> {
  const database = await openDatabase(server.databaseUrl);
  const about = { at: server.clock.now(), cameBy: 'listener', why: 'not_ours' as const, recipient: 'x@example.com' };
  const stray = { ...about, sender: 'ann@example.org', subject: 'Out of office' };
  await database.write((tx) => keepStray(tx, stray, Buffer.from('Subject: away\r\n\r\nback soon')));
  await database.close();
}
