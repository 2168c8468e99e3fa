/** What a process that stood still may do when it wakes: nothing that another one has done meanwhile. On PostgreSQL. */

import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { deliveryStates } from '../../src/core/delivery-state.ts';
import type { Relay } from '../../src/deliver/relay.ts';
import { type Bend, bendDatabase, bendEdge } from '../support/bent-database.ts';
import { useEngine } from '../support/engine.ts';
import { replyOf } from '../support/reply.ts';
import { message, startTestServer, type TestServer } from '../support/server.ts';

useEngine('postgres');

/** A relay that counts dots; `hold` makes its shipments stand still before their gate. */
function createCountingRelay() {
  let release = () => {};
  let arrived = () => {};
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  const reached = new Promise<void>((resolve) => {
    arrived = resolve;
  });
  const counted = { dots: 0, gates: [] as boolean[] };
  const relay = (holds: boolean): Relay => ({
    name: 'counting',
    concurrency: 1,
    async ship({ envelope }, gate) {
      if (holds) {
        arrived();
        await held;
      }
      const isOpen = await gate({ accepted: envelope.to, refused: [] });
      counted.gates.push(isOpen);
      if (!isOpen) return { phase: 'fenced' };
      counted.dots += 1;
      return { phase: 'verdict', reply: replyOf('250 ok') };
    },
    async close() {},
  });
  return { relay, counted, reached, release: () => release() };
}

/** Without attempt number and state in its way, a worker that lost its claim is not told from the one that has it. */
const fenceIsOff: Bend = bendEdge('gate', { from: deliveryStates, fence: 'state' });

/** The first server claims and stands still; the second one takes over after fifteen seconds without a beat, and sends. */
async function takeOver(t: TestContext, bends: Bend[]) {
  const { relay, counted, reached, release } = createCountingRelay();
  const still = await startTestServer({
    relay: relay(true),
    outside: { database: (own) => bendDatabase(own, bends) },
  });
  t.after(() => still.stop());
  // The second one fills its hands: with a free place it would claim again what is taken from it.
  const ids = [];
  for (let mails = 0; mails < 2; mails += 1) ids.push((await still.call('POST', '/emails', message())).json.id);
  await reached;
  await still.until('it holds both', async () => {
    const { text } = await still.call('GET', '/metrics');
    return text.includes('sendonce_open_deliveries{state="sending"} 2');
  });
  const other = await startTestServer({
    environment: { DATABASE_URL: still.databaseUrl, ROLE: 'worker' },
    relay: relay(false),
  });
  t.after(() => other.stop());
  // As long as the other one has seen it, by its own beats: a jump of its own clock would make it doubt itself.
  await other.until('it takes over', async () => {
    other.clock.advance(2_000);
    await other.tick();
    return counted.dots === 2;
  });
  release();
  await still.until('the first one has asked for its gate', () => counted.gates.length === 4);
  return { counted, events: await Promise.all(ids.map((id) => eventOf(still, id))) };
}

async function eventOf(server: TestServer, id: string): Promise<string> {
  return (await server.call('GET', `/emails/${id}`)).json.last_event;
}

describe('a process that stood still for over fifteen seconds', () => {
  it('finds its gate shut, and the mail sent once by another one', async (t) => {
    const { counted, events } = await takeOver(t, []);
    assert.deepEqual([counted.dots, events], [2, ['sent', 'sent']]);
  });

  it('would send a second time without the attempt number (control)', async (t) => {
    const { counted } = await takeOver(t, [fenceIsOff]);
    assert.equal(counted.dots, 4);
  });
});
