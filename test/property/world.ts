/** The real server in this process, which can be crashed: its database is taken as it is, and nothing it does later counts. */

import assert from 'node:assert/strict';
import { readConfig } from '../../src/config/config.ts';
import type { Outside } from '../../src/process/outside.ts';
import { type Started, startServer } from '../../src/server.ts';
import { Client } from '../lab/client.ts';
import type { TestClock } from '../support/clock.ts';
import { testKey } from '../support/server.ts';
import { createTemp, type Temp } from '../support/temp.ts';
import { createGround, type Ground } from './ground.ts';
import type { ApiReply, ApiRequest, Model } from './model.ts';
import { Ledger, type RelayMode, ScriptedRelay } from './relay.ts';

export type WorldOptions = {
  /** A server that is wrong on purpose. */
  database?: Outside['database'];
  /** A disk that forgets what it said was written. */
  losesLog?: boolean;
};

/** What a request came to: a reply, or nothing, since the process it was sent to is gone. */
export type Heard = ApiReply | null;

/** Stands still but for the commands that move it, so that lifetimes end at the very millisecond. */
export const firstMoment = Date.UTC(2026, 0, 1, 12);

type Epoch = {
  server: Started;
  relay: ScriptedRelay;
  client: Client;
  ground: Ground;
  isDead: boolean;
};
/** An answer takes milliseconds. */
const patienceMs = 120_000;

/** How often a server says that it lives. */
const beatMs = 2_000;

type DeliveryRow = { email_id: string; state: string; run_at: number };

export class World {
  readonly clock: TestClock;
  readonly ledger = new Ledger();
  /** Emails whose hand-off a crash has interrupted. */
  readonly interrupted = new Set<string>();
  readonly #options: WorldOptions;
  readonly #temp: Temp = createTemp();
  #epoch!: Epoch;
  readonly #grounds: Ground[] = [];
  /** Email ids in doubt before the last crash, and those it found in hand-off. */
  #doubtful: string[] = [];
  #dying: Promise<void>[] = [];

  static async start(options: WorldOptions = {}): Promise<World> {
    const world = new World(options);
    await world.#start(await createGround(world.#temp), 'prompt');
    return world;
  }

  private constructor(options: WorldOptions) {
    this.#options = options;
    this.clock = createStillClock();
  }

  get relay(): ScriptedRelay {
    return this.#epoch.relay;
  }

  async #start(ground: Ground, mode: RelayMode): Promise<void> {
    if (!this.#grounds.includes(ground)) this.#grounds.push(ground);
    const relay = new ScriptedRelay(this.ledger, mode);
    const config = readConfig({
      PORT: '0',
      ...ground.environment,
      SENDONCE_API_KEY: testKey,
      RETENTION_DAYS: '1',
    });
    // OFF, for speed: a dead process loses nothing the system has taken, and this test pulls no plug (test/lab looks at the syncs).
    const server = await startServer(config, {
      clock: this.clock,
      die: () => assert.fail('the server asked to die'),
      relay,
      sync: async () => {},
      database: this.#options.database,
    });
    ground.started();
    this.#epoch = { server, relay, client: new Client(), ground, isDead: false };
  }

  /** Null: the process died before its answer was read. */
  async send(request: ApiRequest): Promise<Heard> {
    return this.call('POST', request.path, request.text, request.key);
  }

  async call(method: string, path: string, text = '', key: string | null = null): Promise<Heard> {
    const epoch = this.#epoch;
    const asking = { method, path, text, ...(key === null ? {} : { key }) };
    const reply = await epoch.client.ask(epoch.server.url, asking, patienceMs);
    if (epoch.isDead) return null;
    assert(reply, 'whoever lives answers');
    return reply;
  }

  async tick(): Promise<void> {
    await this.#epoch.server.tick();
  }

  /** SIGTERM and a new start: verdicts are waited for, so nothing may be in doubt that was not before. */
  async restart(): Promise<void> {
    const { server, relay, client, ground } = this.#epoch;
    const before = await deliveries(ground, 'in_doubt');
    client.hangUp();
    const stopped = server.stop();
    relay.behave(relay.mode.startsWith('hangs') ? 'prompt' : relay.mode);
    await stopped;
    await this.#start(ground, relay.mode);
    assert.deepEqual(await deliveries(ground, 'in_doubt'), before, 'a clean restart leaves nothing in doubt');
  }

  /** kill -9 and a new start. To be followed by `recover`. */
  async crash(): Promise<void> {
    const dead = this.#epoch;
    dead.isDead = true;
    dead.relay.cut();
    const ground = await dead.ground.taken(this.#options.losesLog ?? false);
    dead.client.hangUp();
    this.#dying.push(dead.server.stop());
    const handoffs = await deliveries(ground, 'handoff');
    this.#doubtful = [...(await deliveries(ground, 'in_doubt')), ...handoffs].sort();
    await this.#start(ground, dead.relay.mode);
    for (const email of handoffs) {
      assert(this.ledger.asked.has(email), 'nothing is in doubt whose gate was not asked for');
      this.interrupted.add(email);
    }
  }

  /** What the dead process had handed off, and nothing else, is in doubt once it has been taken over. */
  async recover(model: Model): Promise<void> {
    const { ground } = this.#epoch;
    for (let ms = 0; ms < ground.takeOverMs; ms += beatMs) {
      this.advance(model, beatMs);
      await this.tick();
    }
    const inDoubt = await deliveries(ground, 'in_doubt');
    assert.deepEqual(inDoubt, this.#doubtful, 'in doubt is what was handed off at the crash');
  }

  /** What holds at any moment. */
  check(model: Model): void {
    assert.deepEqual(this.ledger.duplicates(), [], 'at most one copy of each email reaches the relay');
    for (const email of model.emails.values()) {
      if (email.isCanceled) assert.equal(this.ledger.copies(email.id), 0, 'what was canceled never leaves');
    }
  }

  /** Lets the relay work and time pass until everything has come to its end, and counts. */
  async finish(model: Model): Promise<void> {
    await this.#drain(model);
    this.check(model);
    const { ground } = this.#epoch;
    const states = await ground.read<DeliveryRow>('select email_id, state, run_at from deliveries');
    const accepted = (await ground.read<{ id: string }>('select id from emails')).map((row) => row.id);
    assert.deepEqual(accepted.sort(), [...model.emails.keys()].sort(), 'what was accepted is there, and nothing else');
    for (const { email_id: id, state } of states) this.#checkEnd(model, id, state);
    for (const id of this.ledger.taken()) assert(model.emails.has(id), 'nothing leaves that was not accepted');
    for (const register of model.registers.values()) {
      if (!model.liveRegister(register.request)) continue;
      const heard = await this.send(register.request);
      assert(heard);
      model.observe(register.request, heard);
    }
  }

  #checkEnd(model: Model, id: string, state: string): void {
    const copies = this.ledger.copies(id);
    const isCanceled = model.emails.get(id)?.isCanceled ?? false;
    if (state === 'sent') {
      assert.equal(copies, 1, 'what counts as sent has left');
      return;
    }
    assert.equal(isCanceled, state === 'canceled', `canceled is what was canceled, and this is ${state}`);
    if (state === 'canceled') return;
    if (state === 'in_doubt') {
      assert(this.interrupted.has(id), 'what is in doubt is explained by a crash');
      return;
    }
    assert.equal(state, 'bounced', 'everything comes to an end');
    assert.equal(copies, 0);
    assert(this.ledger.putOff.has(id), 'only what the relay put off for days is given up');
  }

  async #drain(model: Model): Promise<void> {
    this.relay.behave('prompt');
    const giveUpAt = performance.now() + 120_000;
    for (;;) {
      await this.tick();
      await new Promise((resolve) => setImmediate(resolve));
      const open = await this.#epoch.ground.read<DeliveryRow>(
        `select email_id, state, run_at from deliveries where state in ('queued', 'sending', 'handoff') order by run_at`,
      );
      if (open.length === 0) return;
      assert(performance.now() < giveUpAt, `everything comes to an end, not ${JSON.stringify(open)}`);
      const next = open[0];
      if (next?.state === 'queued' && next.run_at > model.now) this.advance(model, next.run_at - model.now);
    }
  }

  advance(model: Model, ms: number): void {
    this.clock.advance(ms);
    model.now += ms;
  }

  async destroy(): Promise<void> {
    const { server, relay, client } = this.#epoch;
    client.hangUp();
    const stopped = server.stop();
    relay.behave('prompt');
    await Promise.all([stopped, ...this.#dying]);
    for (const ground of this.#grounds) await ground.leave();
    this.#temp.remove();
  }
}

function createStillClock(): TestClock {
  let at = firstMoment;
  return {
    now: () => at,
    expiryNow: () => at,
    check() {},
    advance(ms) {
      at += ms;
    },
  };
}

/** Email ids of the deliveries in a state. */
async function deliveries(ground: Ground, state: string): Promise<string[]> {
  const rows = await ground.read<DeliveryRow>('select email_id from deliveries where state = ?', state);
  return rows.map((row) => row.email_id).sort();
}
