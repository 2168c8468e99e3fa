/** What every released version left behind, opened by this one: kept databases, and what their servers answered to the last. */

import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { operate } from '../accounts/operator.ts';
import { signIn } from '../page/visitor.ts';
import { createTestClock } from '../support/clock.ts';
import { chosenEngine, discardDatabase } from '../support/engine.ts';
import { startReceiver } from '../support/receiver.ts';
import { type Served, serve } from '../support/served.ts';
import type { TestReply } from '../support/server.ts';
import { createTemp } from '../support/temp.ts';
import { sha256 } from './dump.ts';
import { type Account, copyOf, type Left, publicUrl, type Request, versionsLeft, withoutLinks } from './left.ts';

const hour = 60 * 60_000;

for (const left of versionsLeft(chosenEngine())) describe(`a database of ${left.version}`, () => describeLeft(left));

it('of at least one version is there', () => assert.ok(versionsLeft(chosenEngine()).length > 0));

type Opened = Served & {
  ask(request: Pick<Request, 'path'> & Partial<Request>): Promise<TestReply>;
  /** The names of what came to the relay, each as often as it came. Each is the mail it always was, but what was `moved`. */
  arrived(account: Account, moved?: string): string[];
  isLast(event: string, name: string): Promise<boolean>;
};

/** The newest server, at the moment the older one was left. Only a test of webhooks lets it reach them. */
async function open(t: TestContext, left: Left, reaches = ''): Promise<Opened> {
  const temp = createTemp();
  const databaseUrl = await copyOf(left, chosenEngine(), temp);
  const environment = { DATABASE_URL: databaseUrl, PUBLIC_URL: publicUrl, EGRESS_ALLOW: reaches };
  const { server, sink } = await serve(t, { clock: createTestClock(left.at), environment });
  t.after(async () => {
    await discardDatabase(databaseUrl);
    temp.remove();
  });
  const ids = { ...left.emails, ...left.unfinished };
  const names = new Map(Object.entries(ids).map(([name, id]) => [id, name]));

  function ask({ account = 'own', method = 'GET', path, body, headers }: Pick<Request, 'path'> & Partial<Request>) {
    const own = { authorization: '', 'api-key': left.keys[account], ...headers };
    return server.call(method, path, body === undefined ? undefined : JSON.stringify(body), own);
  }

  return {
    server,
    sink,
    ask,
    arrived(account, moved) {
      const all = sink.received.map(({ messageId, bytes }) => {
        const name = names.get(messageId.slice(1, 37)) ?? messageId;
        const isSame = sha256(bytes) === left.mails[name];
        if (name in left.mails) assert.equal(isSame, name !== moved, `${name} is the mail it was`);
        return name;
      });
      return all.filter((name) => name in (account === 'own' ? left.emails : left.unfinished)).sort();
    },
    async isLast(event, name) {
      const account = name in left.emails ? 'own' : 'other';
      return (await ask({ account, path: `/emails/${ids[name]}` })).json.last_event === event;
    },
  };
}

/** What an older version answered that strict SDKs could not read, as it is answered now. */
function mended(text: string): string {
  return text
    .replace('"type":"unlimited"', '"type":"payAsYouGo"')
    .replaceAll('"content_id":null,', '')
    .replaceAll('"senderEmail":null', '"senderEmail":""');
}

function describeLeft(left: Left): void {
  it('is read as it was before, by both facades', async (t) => {
    const { ask } = await open(t, left);
    for (const exchange of left.answers) {
      const { status, text } = await ask(exchange);
      assert.deepEqual(
        [status, JSON.parse(withoutLinks(text))],
        [exchange.status, JSON.parse(mended(exchange.text))],
        exchange.path,
      );
    }
  });

  it('answers replays with the same bytes, refuses conflicts as before, and has forgotten keys that expired', async (t) => {
    const { ask } = await open(t, left);
    for (const exchange of left.replays) {
      const { status, text, headers } = await ask(exchange);
      assert.deepEqual([status, text], [exchange.status, exchange.text]);
      if (status === 200) assert.equal(headers.get('idempotent-replayed'), 'true');
    }
    for (const exchange of left.conflicts) {
      const { status, json } = await ask(exchange);
      assert.deepEqual([status, json], [exchange.status, JSON.parse(exchange.text)]);
    }
    const old = Object.values(left.emails);
    for (const exchange of left.expired) {
      const { status, text } = await ask(exchange);
      assert.equal(status, exchange.status);
      assert.ok(!old.some((id) => text.includes(id)), 'it is another email');
    }
  });

  it('sends what waited between two attempts: once, and the mail it was', async (t) => {
    const { server, arrived, isLast } = await open(t, left);
    const waiting = ['away', 'busy', 'later', 'parts', 'twice'];
    assert.deepEqual(arrived('own'), []);
    server.clock.advance(2 * hour);
    await server.until('all are sent', async () => {
      const sent = await Promise.all(waiting.map((name) => isLast('sent', name)));
      return sent.every(Boolean) && arrived('own').length >= waiting.length;
    });
    server.clock.advance(10 * hour);
    await server.tick();
    assert.deepEqual(arrived('own'), waiting);
  });

  it('sends what is scheduled at its time, and not what is canceled or moved', async (t) => {
    const { server, ask, arrived, isLast } = await open(t, left);
    const { emails } = left;
    const canceled = await ask({ method: 'POST', path: `/emails/${emails['scheduled, to be canceled']}/cancel` });
    assert.equal(canceled.status, 200);
    const scheduled_at = new Date(left.at + 60 * hour).toISOString();
    const moved = await ask({
      method: 'PATCH',
      path: `/emails/${emails['scheduled, to be moved']}`,
      body: { scheduled_at },
    });
    assert.equal(moved.status, 200);
    assert.equal((await ask({ method: 'DELETE', path: `/v3/smtp/email/${left.batchId}` })).status, 204);
    const scheduled = () =>
      arrived('own', 'scheduled, to be moved').filter((name) => /scheduled|moved|canceled/.test(name));
    server.clock.advance(24 * hour);
    await server.until('what waits is sent', () => isLast('sent', 'later'));
    assert.deepEqual(scheduled(), []);
    server.clock.advance(3 * hour);
    await server.until('what is scheduled is sent', () => isLast('sent', 'scheduled'));
    await server.until('what the old server moved is sent', () => isLast('sent', 'moved'));
    assert.deepEqual(scheduled(), ['moved', 'scheduled']);
    server.clock.advance(60 * hour);
    await server.until('what was moved is sent', () => isLast('sent', 'scheduled, to be moved'));
    assert.equal(scheduled().length, 3);
    for (const name of ['canceled', 'scheduled, to be canceled', 'scheduled by brevo'])
      assert.ok(await isLast('canceled', name));
  });

  it('holds what was in doubt until it is answered', async (t) => {
    const { server, ask, arrived, isLast } = await open(t, left);
    const held = async () => (await ask({ path: '/in-doubt' })).json.data.map(({ id }: { id: string }) => id);
    const { held: one, 'held, not taken': other } = left.emails;
    server.clock.advance(20 * hour);
    await server.until('what waits is sent', () => isLast('sent', 'later'));
    assert.deepEqual(await held(), [one, other]);
    assert.ok(!arrived('own').some((name) => name.startsWith('held')));
    await ask({ method: 'POST', path: `/in-doubt/${one}`, body: { answer: 'sent' } });
    await ask({ method: 'POST', path: `/in-doubt/${other}`, body: { answer: 'send-again' } });
    await server.until('it is sent again', () => isLast('sent', 'held, not taken'));
    assert.deepEqual([await held(), await isLast('sent', 'held')], [[], true]);
    const copies = arrived('own').filter((name) => name.startsWith('held'));
    assert.deepEqual(copies, ['held, not taken']);
  });

  it('ends what the process had in its hands: claims leave, hand-offs are in doubt, and the policy sends again', async (t) => {
    const { server, ask, arrived, isLast } = await open(t, left);
    const { unfinished } = left;
    const held = async () => (await ask({ account: 'other', path: '/in-doubt' })).json.data;
    await server.until('the claim is sent and the hand-offs are in doubt', async () => {
      server.clock.advance(2_000);
      return (await isLast('sent', 'claimed')) && (await held()).length === 3;
    });
    const again = ['handed off, sent again', 'in doubt, sent again'];
    assert.deepEqual(
      (await held()).map(({ id, sends_again_at }: Record<string, string>) => [id, sends_again_at !== null]),
      ['in doubt, sent again', 'handed off', 'handed off, sent again'].map((name) => [
        unfinished[name],
        again.includes(name),
      ]),
    );
    assert.deepEqual(arrived('other'), ['claimed']);
    server.clock.advance(11 * 60_000);
    await server.until('the policy has sent again', async () =>
      (await Promise.all(again.map((name) => isLast('sent', name)))).every(Boolean),
    );
    assert.deepEqual(arrived('other'), ['claimed', ...again]);
    assert.deepEqual(
      (await held()).map(({ id }: { id: string }) => id),
      [unfinished['handed off']],
    );
  });

  it('tells webhooks what they were not told yet, and again what failed', async (t) => {
    const { server, ask } = await open(t, left, '127.0.0.0/8');
    const receiver = await startReceiver(t);
    const { webhooks } = left;
    for (const name of ['well', 'down', 'other']) {
      const account = name === 'other' ? 'other' : 'own';
      const endpoint = `${receiver.url}/${name}`;
      const changed = await ask({ account, method: 'PATCH', path: `/webhooks/${webhooks[name]}`, body: { endpoint } });
      assert.equal(changed.status, 200);
    }
    for (const name of ['brevo', 'brevoDown']) {
      const url = `${receiver.url}/${name}`;
      assert.equal((await ask({ method: 'PUT', path: `/v3/webhooks/${webhooks[name]}`, body: { url } })).status, 204);
    }
    const told = (name: string) => receiver.told.filter(({ path }) => path === `/${name}`);
    const path = `/webhooks/${webhooks.down}/events`;
    const events = left.answers.filter((one) => one.path.startsWith(`${path}/`) && !one.path.endsWith('/attempts'));
    const [failed, pending] = ['failed', 'pending'].map((status) =>
      events.map(({ text }) => JSON.parse(text)).filter((event) => event.status === status),
    );
    assert.ok(failed?.length === 1 && pending && pending.length > 0);
    server.clock.advance(11 * hour);
    await server.until('what was pending is told', () => told('down').length >= pending.length);
    assert.deepEqual(
      told('down')
        .map(({ headers, json }) => [headers['svix-id'], json])
        .sort(),
      pending.map(({ id, payload }) => [id, payload]).sort(),
    );
    await server.until('each webhook has heard', () => told('brevoDown').length > 0 && told('other').length > 0);
    await ask({ method: 'POST', path: `${path}/${failed[0].id}/replay` });
    await server.until('what had failed is told', () =>
      told('down').some(({ json }) => json.type === failed[0].type && json.created_at === failed[0].payload.created_at),
    );
  });

  it('lets an account send as it did, until an operator gives domains away', async (t) => {
    const { server, ask } = await open(t, left);
    const body = { from: 'a@anybody.test', to: ['x@y.test'], subject: 's', text: 't' };
    const send = () => ask({ account: 'other', method: 'POST', path: '/emails', body: body as never });
    assert.equal((await send()).status, 200);
    assert.match(await operate(server, 'list'), /^other +active .* \*$/m);
    await operate(server, 'allow default anybody.test');
    assert.equal((await send()).status, 200, 'the first one takes nothing from others');
    await operate(server, 'disallow other *');
    assert.equal((await send()).status, 403);
  });

  it('is shown by the page', async (t) => {
    const { server } = await open(t, left);
    const visitor = await signIn(server, left.keys.own);
    const { webhooks } = left;
    const ids = Object.values(left.emails);
    const written = left.answers.filter(
      ({ path, text }) => /^\/emails\/[^/]+$/.test(path) && !text.includes('"html":null'),
    );
    const events = left.answers
      .map(({ path }) => /^(\/webhooks\/[^/]+\/)events\/([^/]+)$/.exec(path))
      .filter((one) => one !== null);
    const paths = [
      ...[
        '',
        '/emails',
        '/idempotency',
        '/in-doubt',
        '/webhooks',
        '/setup',
        '/idempotency?key=live+key',
        '/emails?q=ann',
      ],
      ...written.map(({ path }) => `${path}/html`),
      ...ids.flatMap((id) => [`/emails/${id}`, `/emails/${id}/eml`]),
      ...[
        `/webhooks/${webhooks.well}`,
        `/webhooks/${webhooks.down}`,
        ...events.map(([, start, event]) => `${start}${event}`),
      ],
    ];
    for (const path of paths) assert.equal((await visitor.get(path)).status, 200, path);
  });
}
