/** Workers that come late to a gate, in one process whose clock is moved: what the gate and the attempt number are for. */

import assert from 'node:assert/strict';
import type { Relay } from '../../src/deliver/relay.ts';
import { createSmtpRelay } from '../../src/deliver/smtp.ts';
import { type Bend, bendDatabase, bendEdge } from '../support/bent-database.ts';
import { drained } from '../support/served.ts';
import { message, startTestServer, type TestServer } from '../support/server.ts';
import { signal } from '../support/smtp-rig.ts';
import { type Sink, startSink } from '../support/smtp-sink.ts';

/** Told what to do at the end. */
export type After = (cleanUp: () => Promise<void>) => void;

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
async function stage(after: After, script: AtGate[], bends: Bend[] = []): Promise<Stage> {
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
  after(async () => {
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
export async function copiesAfterPause(after: After, first: AtGate): Promise<number> {
  const pause = signal();
  const { server, sink, seen } = await stage(after, [{ ...first, paused: pause.promise }]);
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

/** Two workers stand before the gate with the same delivery. The late one goes first; then the owner's session dies, and a third tries again. */
export async function copiesAfterTakeover(after: After, bends: Bend[]): Promise<number> {
  const late = signal();
  const owner = signal();
  const script = [{ paused: late.promise }, { paused: owner.promise, dies: true }, {}];
  const { server, sink, seen } = await stage(after, script, bends);
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

/** A gate that opens for whatever attempt asks. */
export const unfenced: Bend = bendEdge('gate', { fence: 'state' });
