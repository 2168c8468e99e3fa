/** Every route there is, both facades, our own and the page, asked by another account for what is this one's. */

import assert from 'node:assert/strict';
import { describe, type TestContext, test } from 'node:test';
import { Hono } from 'hono';
import type { Bindings } from '../../src/http/call.ts';
import { httpFacades } from '../../src/http/facades.ts';
import { addOwnRoutes } from '../../src/http/own/own-routes.ts';
import { addPageRoutes } from '../../src/page/routes.tsx';
import { signIn, type Visitor } from '../page/visitor.ts';
import { type Bend, bendDatabase } from '../support/bent-database.ts';
import { chosenEngine } from '../support/engine.ts';
import { startReceiver } from '../support/receiver.ts';
import { startTestServer, type TestServer, testKey } from '../support/server.ts';
import { type Belongings, furnish, keyOfOurs, marker, owner, rowsOf } from './belongings.ts';
import { type Client, clientOf, heardAtOnce, newAccount } from './operator.ts';

type Route = { method: string; path: string };

/** As the doors themselves add them. */
function allRoutes(): Route[] {
  const app = new Hono<Bindings>();
  for (const facade of httpFacades) facade.addRoutes(app, {} as never, {} as never);
  addOwnRoutes(app, {} as never, {} as never);
  addPageRoutes(app, { facts: { relay: () => 'capture' } } as never);
  const asked = app.routes.filter(({ method }) => ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'].includes(method));
  return asked.map(({ method, path }) => ({ method, path })).filter(({ path }) => !(path in leftOut));
}

const leftOut: Record<string, string> = {
  '/logs': 'has the paths that its own account asked for, ours among them here; test/resend/logs.test.ts has it',
  '/dashboard/live': 'a stream that does not end; it says that something has changed, and nothing of what',
  '/dashboard/sign-out': 'ends the session the others are asked in; test/page/door.test.ts has it',
};

/** What belongs in the place of a parameter: a route nobody thought of here has none, and fails. */
function fill({ path }: Route, ours: Belongings): string {
  const places: [start: string, values: Record<string, string>][] = [
    ['/emails/receiving/', { id: ours.received, attachment: ours.receivedFile }],
    ['/emails/', { id: ours.email, attachment: ours.attachment }],
    ['/logs/', { id: ours.log }],
    ['/suppressions/', { suppression: ours.suppression }],
    ['/notices/', { id: '1' }],
    ['/relays/', { name: 'capture' }],
    ['/domains/', { id: ours.domain }],
    ['/v3/senders/domains/', { domain: 'owner.test' }],
    ['/api-keys/', { id: ours.keyId }],
    ['/templates/', { id: ours.versioned }],
    ['/contacts/', { id: ours.contact, segment: ours.segment }],
    ['/segments/', { id: ours.segment }],
    ['/audiences/', { id: ours.segment, contact: ours.contact }],
    ['/topics/', { id: ours.topic }],
    ['/broadcasts/', { id: ours.broadcast }],
    ['/contact-properties/', { id: ours.property }],
    ['/v3/contacts/attributes/', { category: 'normal', name: 'THEIRS' }],
    ['/v3/contacts/folders/', { id: '1' }],
    ['/v3/contacts/lists/', { id: ours.list }],
    ['/v3/contacts/', { identifier: ours.contactNumber }],
    ['/webhooks/', { id: ours.webhook, event: ours.event }],
    ['/in-doubt/', { id: ours.held }],
    ['/inbox/', { id: ours.email }],
    ['/idempotency-keys/', { '*': keyOfOurs }],
    ['/accounts/', { name: owner, domain: 'owner.test', id: ours.keyId }],
    ['/v3/smtp/templates/', { id: ours.template }],
    ['/v3/smtp/email/', { identifier: ours.batch }],
    ['/v3/smtp/emailStatus/', { identifier: ours.batch }],
    ['/v3/smtp/emails/', { uuid: ours.uuid }],
    ['/v3/smtp/blockedDomains/', { domain: 'blocked.owner.test' }],
    ['/v3/smtp/log/', { identifier: encodeURIComponent(ours.messageId) }],
    ['/v3/smtp/blockedContacts/', { email: encodeURIComponent(ours.suppressed) }],
    ['/v3/senders/', { id: ours.sender }],
    ['/v3/webhooks/', { id: ours.brevoWebhook }],
  ];
  const inApi = path.replace(/^\/dashboard(?=\/.+\/)/, '');
  const [, values = {}] = places.find(([start]) => inApi.startsWith(start)) ?? [];
  return path.replace(/:(\w+)|\*$/g, (place, name = '*') => {
    const value = values[name] ?? (path === '/dashboard/*' ? 'x' : undefined);
    assert.ok(value !== undefined, `what is ${place} in ${path}? Say it here`);
    return value;
  });
}

/** One body for whatever takes one: each reads the members it knows. */
function bodyFor({ path }: Route, ours: Belongings): Record<string, unknown> | unknown[] {
  const mail = { from: 'a@stranger.test', to: ['x@to.test'], subject: 'theirs', text: 'theirs' };
  switch (path) {
    case '/emails/batch':
      return [mail];
    case '/suppressions/batch/remove':
      return { emails: [ours.suppressed], ids: [ours.suppression] };
    case '/v3/smtp/email':
      return { templateId: Number(ours.template), sender: { id: Number(ours.sender) }, to: [{ email: 'x@to.test' }] };
    case '/v3/smtp/template/preview':
      return { templateId: Number(ours.template), params: { a: 1 } };
    case '/v3/smtp/deleteHardbounces':
      return { contactEmail: ours.suppressed };
    default:
      return {
        ...mail,
        ...{ emails: ['theirs@to.test'], email: 'theirs@to.test', answer: 'sent', isActive: false, name: 'theirs' },
        ...{ endpoint: 'http://127.0.0.1:9/theirs', url: 'http://127.0.0.1:9/theirs', emailTo: ['x@to.test'] },
        scheduled_at: new Date(Date.now() + 3_600_000).toISOString(),
      };
  }
}

/** What lists and searches could be asked to look for. None of it is a word that an answer is looked through for. */
function searchesFor({ path }: Route, ours: Belongings): string[] {
  if (/:|\*/.test(path)) return [''];
  const messageId = encodeURIComponent(ours.messageId);
  const begun = marker.slice(0, -1);
  return [
    '',
    `?q=${begun}`,
    `?after=${ours.email}`,
    `?messageId=${messageId}`,
    `?email=${ours.suppressed}`,
    `?key=${keyOfOurs}`,
  ];
}

/** `searches`: whether lists are asked with each of what they could look for, too. */
type Asker = { client: Client; visitor: Visitor; searches: boolean };
type Seen = { what: string; status: number; leaks: boolean };

async function askAll(routes: Route[], asker: Asker, ours: Belongings): Promise<Seen[]> {
  const { email, uuid, attachment, held, batch, webhook, event, suppression, domain, versioned } = ours;
  const { contact, segment, topic, property, broadcast, received, receivedFile } = ours;
  const words = [
    marker,
    email,
    uuid,
    attachment,
    held,
    batch,
    webhook,
    event,
    suppression,
    domain,
    versioned,
    contact,
    segment,
    topic,
    property,
    broadcast,
    received,
    receivedFile,
  ];
  const seen: Seen[] = [];
  for (const route of routes) {
    const path = fill(route, ours);
    for (const search of asker.searches && route.method === 'GET' ? searchesFor(route, ours) : ['']) {
      const { status, text } = await ask(route, `${path}${search}`, asker, ours);
      // What they have asked for by name may be in the refusal.
      const asked = `${path}${search}${JSON.stringify(bodyFor(route, ours))}`;
      const leaks = words.some((word) => text.includes(word) && !asked.includes(word));
      seen.push({ what: `${route.method} ${route.path}${search}`, status, leaks });
    }
  }
  return seen;
}

function ask({ method, path: pattern }: Route, path: string, asker: Asker, ours: Belongings) {
  const { client, visitor } = asker;
  if (pattern.startsWith('/dashboard')) {
    const inPage = path.slice('/dashboard'.length);
    return method === 'GET' ? visitor.get(inPage) : visitor.post(inPage, { answer: 'sent', at: '2030-01-01T00:00' });
  }
  return client.call(method, path, method === 'GET' ? undefined : bodyFor({ method, path: pattern }, ours));
}

async function furnished(t: TestContext, bends: Bend[] = []): Promise<{ server: TestServer; ours: Belongings }> {
  const receiver = await startReceiver(t);
  const outside = { database: (own: Parameters<typeof bendDatabase>[0]) => bendDatabase(own, bends) };
  const server = await startTestServer({ ...heardAtOnce, outside });
  t.after(() => server.stop());
  const ours = await furnish(server, receiver);
  await server.until('all of it is told', () => receiver.told.length >= 2);
  server.clock.advance(31_000);
  await server.tick();
  return { server, ours };
}

async function askerOf(server: TestServer, client: Client): Promise<Asker> {
  // A list that looks for more than its account's would do so for any, and on any engine: one asker on one of them is enough.
  const searches = client.key !== testKey && chosenEngine() === 'sqlite';
  return { client, visitor: await signIn(server, client.key), searches };
}

const leaksOf = (seen: Seen[]) => seen.filter(({ leaks }) => leaks).map(({ what }) => what);

describe('what an account has', () => {
  test('is seen and changed on any route by itself, and by no other account, the first one included', async (t) => {
    const { server, ours } = await furnished(t);
    const routes = allRoutes();
    assert.ok(routes.length > 100, `${routes.length} routes`);
    const stranger = await newAccount(server, 'stranger', 'stranger.test');
    const before = await rowsOf(server, owner);
    const isManaging = ({ path }: Route) => /^\/(accounts|relays|dashboard\/(accounts|settings|notices))\b/.test(path);
    const askers: [name: string, client: Client, routes: Route[]][] = [
      ['stranger', stranger, routes],
      ['default', clientOf(server, testKey), routes.filter((route) => !isManaging(route))],
    ];
    for (const [name, client, asked] of askers) {
      const seen = await askAll(asked, await askerOf(server, client), ours);
      assert.deepEqual(leaksOf(seen), [], name);
      assert.deepEqual(
        seen.filter(({ status }) => status >= 500),
        [],
        name,
      );
      assert.deepEqual(await rowsOf(server, owner), before, name);
      const theirs = await rowsOf(server, name);
      assert.ok(
        theirs.some((row) => row.includes('theirs')),
        'what they sent is theirs',
      );
      assert.deepEqual(
        theirs.filter((row) => row.includes(marker)),
        [],
        name,
      );
    }
    // The names in the paths are right: its own key sees what others did not.
    const reading = routes.filter(({ method, path }) => method === 'GET' && /:|\*$/.test(path));
    const isOwn = (route: Route) => !isManaging(route) && route.path !== '/dashboard/*';
    const own = await askAll(reading.filter(isOwn), await askerOf(server, ours.client), ours);
    const readable = own.filter(({ status }) => status !== 405);
    assert.deepEqual(
      readable.filter(({ status }) => status !== 200),
      [],
    );
    assert.ok(leaksOf(readable).length > 12, leaksOf(readable).join());
  });

  test('would be seen without the account in a look-up: the control', async (t) => {
    const bends: Bend[] = [
      {
        when: 'from emails where account = ? and id = ?',
        find: 'account = ? and id',
        replace: 'cast(? as text) is not null and id',
      },
    ];
    const { server, ours } = await furnished(t, bends);
    const stranger = await newAccount(server, 'stranger', 'stranger.test');
    const reading = allRoutes().filter(({ method, path }) => method === 'GET' && path.includes('/emails/:id'));
    const seen = await askAll(reading, await askerOf(server, stranger), ours);
    assert.ok(leaksOf(seen).length > 2, leaksOf(seen).join());
  });
});
