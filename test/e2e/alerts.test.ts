/** An operator is called once when a trouble begins and once when it is over, and never told whom mail is for or what it says. */

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it, type TestContext } from 'node:test';
import { troubleNames } from '../../src/core/alert.ts';
import { joined } from '../../src/core/pieces.ts';
import type { Relay, Shipment } from '../../src/deliver/relay.ts';
import { type Receiver, startReceiver } from '../support/receiver.ts';
import { message, startTestServer, type TestServer } from '../support/server.ts';

const took = { text: '250 taken', said: { class: 'ok', code: 250, enhanced: null } } as const;

/** Says nothing to the dot of mail for somebody whose address begins with `doubt`, is away while `isAway`, and takes the rest. */
function createOddRelay() {
  const taken: Shipment[] = [];
  const relay: Relay & { isAway: boolean; taken: Shipment[] } = {
    name: 'odd',
    concurrency: 2,
    isAway: false,
    taken,
    async ship(shipment, gate) {
      const { to } = shipment.envelope;
      if (relay.isAway) {
        const said = { class: 'transient', code: null, enhanced: null } as const;
        return { phase: 'unreached', reply: { text: 'away', said }, isAway: true };
      }
      if (!(await gate({ accepted: to, refused: [] }))) return { phase: 'fenced' };
      taken.push(shipment);
      return to[0]?.startsWith('doubt') ? { phase: 'in_doubt', reason: 'silence' } : { phase: 'verdict', reply: took };
    },
    async close() {},
  };
  return relay;
}

async function start(t: TestContext) {
  const receiver = await startReceiver(t);
  const relay = createOddRelay();
  const environment = { ALERT_WEBHOOK: `${receiver.url}/alerts`, ALERT_EMAIL: 'ops@acme.test, second@acme.test' };
  const server = await startTestServer({ environment, relay });
  t.after(() => server.stop());
  return { server, receiver, relay };
}

const typesOf = ({ told }: Receiver) => told.map(({ json }) => `${json.type} ${json.name}`);

async function later(server: TestServer, ms: number): Promise<void> {
  server.clock.advance(ms);
  await server.tick();
}

const metric = async (server: TestServer, name: string) =>
  new RegExp(`^sendonce_trouble\\{name="${name}"\\} (\\d)$`, 'm').exec(
    (await server.call('GET', '/metrics')).text,
  )?.[1];

describe('what is kept for Prometheus and Grafana', () => {
  it('names every trouble, and only metrics that there are', async (t) => {
    const server = await startTestServer();
    t.after(() => server.stop());
    const { text } = await server.call('GET', '/metrics');
    const [rules, dashboard] = ['prometheus-rules.yml', 'grafana-dashboard.json'].map((name) =>
      readFileSync(new URL(`../../../deploy/${name}`, import.meta.url), 'utf8'),
    );
    const named = new Set(`${rules}${dashboard}`.match(/\b(?:sendonce|process)_[a-z_]+/g));
    assert.ok(named.size > 8);
    for (const name of named) assert.ok(text.includes(`# TYPE ${name} `), name);
    for (const name of troubleNames) assert.ok(rules?.includes(`sendonce_trouble{name="${name}"}`), name);
  });
});

describe('an operator is called', () => {
  it('once when mail is held in doubt, however much, and once when that is over, by webhook and by mail', async (t) => {
    const { server, receiver, relay } = await start(t);
    await server.tick();
    assert.deepEqual(typesOf(receiver), []);
    for (const who of ['doubt-one@secret.example', 'doubt-two@secret.example']) {
      const { json } = await server.call('POST', '/emails', message({ to: who, subject: 'very private' }));
      await server.until('it is held', async () => (await server.call('GET', `/emails/${json.id}`)).json.in_doubt);
      await later(server, 11_000);
    }
    await server.until('the mails of it left', () =>
      relay.taken.some(({ envelope }) => envelope.to.includes('ops@acme.test')),
    );
    assert.deepEqual(typesOf(receiver), ['alert.began in_doubt']);
    assert.equal(await metric(server, 'in_doubt'), '1');
    for (const { json } of (await server.call('GET', '/in-doubt')).json.data.map((one: { id: string }) => ({
      json: one,
    }))) {
      await server.call('POST', `/in-doubt/${json.id}`, { answer: 'sent' });
    }
    await later(server, 11_000);
    assert.deepEqual(typesOf(receiver), ['alert.began in_doubt'], 'it may come again at once');
    await later(server, 61_000);
    await later(server, 61_000);
    assert.deepEqual(typesOf(receiver), ['alert.began in_doubt', 'alert.ended in_doubt']);
    assert.deepEqual(new Set(receiver.told.map(({ json }) => json.id)).size, 2);
    const mails = () => relay.taken.filter(({ envelope }) => envelope.to.includes('ops@acme.test'));
    await server.until('both mails left', () => mails().length === 2);
    await later(server, 61_000);
    assert.equal(mails().length, 2);
    for (const { pieces, envelope } of mails()) {
      assert.deepEqual(envelope, { from: 'ops@acme.test', to: ['ops@acme.test', 'second@acme.test'] });
      assert.match(joined(pieces).toString(), /^Auto-Submitted: auto-generated\r$/m);
    }
    const all = [...receiver.told.map(({ body }) => body), ...mails().map(({ pieces }) => joined(pieces).toString())];
    for (const text of all) assert.doesNotMatch(text, /secret\.example|private/);
    assert.equal(await metric(server, 'in_doubt'), '0');
  });

  it('when no relay has answered for a minute, again where the receiver failed, and not by a second process', async (t) => {
    const { server, receiver, relay } = await start(t);
    relay.isAway = true;
    receiver.behave = (_, count) => ({ status: count === 1 ? 500 : 200 });
    const { json } = await server.call('POST', '/emails', message());
    const tried = async () => (await server.call('GET', `/emails/${json.id}/events`)).json.data.length > 1;
    await server.until('it was tried', tried);
    await later(server, 30_000);
    assert.deepEqual(typesOf(receiver), [], 'it may only be restarting');
    await later(server, 31_000);
    assert.deepEqual(typesOf(receiver), ['alert.began relay_rests']);
    await later(server, 20_000);
    assert.equal(receiver.told.length, 1, 'not at once');
    await later(server, 41_000);
    await later(server, 61_000);
    assert.deepEqual(typesOf(receiver), ['alert.began relay_rests', 'alert.began relay_rests']);
    assert.equal(receiver.told[0]?.json.id, receiver.told[1]?.json.id);
    relay.isAway = false;
    await later(server, 60 * 60_000);
    await server.until('it left', () => relay.taken.length > 0);
    await later(server, 61_000);
    await server.until('that is told', async () => typesOf(receiver).includes('alert.ended relay_rests'));
    assert.equal(typesOf(receiver).filter((one) => one === 'alert.ended relay_rests').length, 1);
  });

  it('by nobody where no address is named, and sees the trouble all the same', async (t) => {
    const relay = createOddRelay();
    const server = await startTestServer({ relay });
    t.after(() => server.stop());
    const { json } = await server.call('POST', '/emails', message({ to: 'doubt@b.example' }));
    await server.until('it is held', async () => (await server.call('GET', `/emails/${json.id}`)).json.in_doubt);
    await server.tick();
    assert.equal(await metric(server, 'in_doubt'), '1');
    assert.equal(relay.taken.length, 1);
  });
});
