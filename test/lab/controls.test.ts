/** The guards of the hand-off taken out one at a time: with each there is one copy at the relay, without it there are two. */

import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { Relay } from '../../src/deliver/relay.ts';
import { createSmtpRelay } from '../../src/deliver/smtp.ts';
import { type Bend, bendDatabase } from '../support/bent-database.ts';
import { drained } from '../support/served.ts';
import { message, startTestServer, type TestServer } from '../support/server.ts';
import { signal } from '../support/smtp-rig.ts';
import { type Sink, startSink } from '../support/smtp-sink.ts';
import { controls } from './guards.ts';

/** Past the lease of a claim: its worker counts as hung. */
const leaseMs = 16 * 60_000;

/** What an attempt is to do at its gate. `asksNobody` is the guard taken out: the dot leaves whatever the store says. */
type AtGate = { paused?: Promise<unknown>; dies?: boolean; asksNobody?: boolean };

type Seen = { atGate: Promise<void>; ended: Promise<void> };

type Stage = {
  server: TestServer;
  sink: Sink;
  /** The attempts of the script, in order. */
  seen: Seen[];
};

/** A server that speaks to a real sink through the real SMTP client; its attempts, in order, do as they are told. */
async function stage(t: TestContext, script: AtGate[], bends: Bend[] = []): Promise<Stage> {
  const sink = await startSink();
  const smtp = createSmtpRelay({ host: '127.0.0.1', port: sink.port, secure: false, auth: null });
  const signals = script.map(() => ({ atGate: signal(), ended: signal() }));
  let attempts = 0;
  const relay: Relay = {
    name: smtp.name,
    concurrency: smtp.concurrency,
    close: () => smtp.close(),
    async ship(shipment, gate) {
      const { paused, dies, asksNobody } = script[attempts] ?? {};
      const seen = signals[attempts++];
      const outcome = await smtp.ship(shipment, async (reply) => {
        seen?.atGate.resolve();
        await paused;
        if (dies) throw new Error('the session died before its gate');
        const opened = await gate(reply);
        return asksNobody ? true : opened;
      });
      seen?.ended.resolve();
      return outcome;
    },
  };
  const server = await startTestServer({ relay, outside: { database: (own) => bendDatabase(own, bends) } });
  t.after(async () => {
    await server.stop();
    await sink.close();
  });
  const seen = signals.map(({ atGate, ended }) => ({ atGate: atGate.promise, ended: ended.promise }));
  return { server, sink, seen };
}

async function send(server: TestServer): Promise<void> {
  const { status, text } = await server.call('POST', '/emails', message(), { 'idempotency-key': 'one' });
  assert.equal(status, 200, text);
}

/** The first worker hangs before its gate, loses its claim, and wakes up when a second one has sent the mail. */
async function copiesAfterPause(t: TestContext, first: AtGate): Promise<number> {
  const pause = signal();
  const { server, sink, seen } = await stage(t, [{ ...first, paused: pause.promise }]);
  await send(server);
  await seen[0]?.atGate;
  server.clock.advance(leaseMs);
  await server.tick();
  await sink.waitFor(1);
  await drained(server);
  pause.resolve();
  await seen[0]?.ended;
  return sink.count;
}

test('a worker that was paused past its lease sends nothing, since its gate does not open', async (t) => {
  assert.equal(await copiesAfterPause(t, {}), 1);
});

test('without the gate, the worker that was paused sends a second copy', async (t) => {
  assert.equal(await copiesAfterPause(t, { asksNobody: true }), 2);
});

/** Two workers stand before the gate with the same delivery. The late one goes first; then the owner's session dies, and a third tries again. */
async function copiesAfterTakeover(t: TestContext, bends: Bend[]): Promise<number> {
  const late = signal();
  const owner = signal();
  const script = [{ paused: late.promise }, { paused: owner.promise, dies: true }, {}];
  const { server, sink, seen } = await stage(t, script, bends);
  await send(server);
  await seen[0]?.atGate;
  server.clock.advance(leaseMs);
  await server.tick();
  await seen[1]?.atGate;
  late.resolve();
  await seen[0]?.ended;
  owner.resolve();
  await seen[1]?.ended;
  let hasThird = false;
  void seen[2]?.atGate.then(() => {
    hasThird = true;
  });
  await server.until('the third attempt is made', () => {
    server.clock.advance(1_000);
    return hasThird;
  });
  await seen[2]?.ended;
  await drained(server);
  return sink.count;
}

test('a late worker cannot pass the gate of the attempt that took its delivery over', async (t) => {
  assert.equal(await copiesAfterTakeover(t, []), 1);
});

test('with a gate that ignores the attempt, the late worker and the next attempt both send', async (t) => {
  const unfenced: Bend = {
    when: "set state = 'handoff', handoff_attempt = attempt",
    find: 'and attempt = ?',
    replace: 'and ? is not null',
  };
  assert.equal(await copiesAfterTakeover(t, [unfenced]), 2);
});

for (const { guard, sees, run } of controls.filter((one) => one.isQuick)) {
  test(`the lab sees ${sees} without its guard: ${guard}`, async () => {
    const row = await run({ seed: 8 });
    assert(row[sees] > 0, JSON.stringify(row));
    assert.notDeepEqual(row.violations, []);
  });
}
