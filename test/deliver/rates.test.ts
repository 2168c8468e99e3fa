/** Ceilings of relays, with three processes on one database: they hold in any window, and are used up where there is mail. */

import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import type { Ceiling, Rates } from '../../src/core/rate.ts';
import { type Hold, Permits } from '../../src/deliver/relays/permits.ts';
import type { Database } from '../../src/store/database.ts';
import { type Granted, type Taking, takeSome } from '../../src/store/rates.ts';
import { newMigratedUrl, openDatabase } from '../support/engine.ts';
import { createTemp } from '../support/temp.ts';

const second = (most: number): Ceiling => ({ window: 'second', ms: 1_000, most });
const minute = (most: number): Ceiling => ({ window: 'minute', ms: 60_000, most });
const day = (most: number): Ceiling => ({ window: 'day', ms: 86_400_000, most });

const startsAt = 1_800_000_000_000;

async function open(t: TestContext): Promise<Database> {
  const temp = createTemp();
  const database = await openDatabase(await newMigratedUrl(temp));
  t.after(async () => {
    await database.close();
    temp.remove();
  });
  return database;
}

type Take = (worker: string, takings: readonly Taking[], now: number) => Promise<Granted[]>;

const fromLedger =
  (database: Database): Take =>
  (worker, takings, now) =>
    database.write(async (tx) => {
      const granted = [];
      for (const one of takings) granted.push(await takeSome(tx, worker, one, { now, isShared: true }));
      return granted;
    });

/** Time that only this world moves, and processes that give what they may to one relay. */
class World {
  now = startsAt;
  readonly left: number[] = [];
  readonly #rates: Rates;
  readonly #take: Take;
  #seed = 7;

  constructor(rates: Rates, take: Take) {
    this.#rates = rates;
    this.#take = take;
  }

  process(worker: string): Permits {
    const permits = new Permits({
      clock: { now: () => this.now },
      take: (takings) => this.#take(worker, takings, this.now),
      onMore: () => {},
      onFailure: (error) => assert.fail(error as Error),
    });
    permits.change(new Map([['relay', this.#rates]]));
    return permits;
  }

  /** Each process gives all it may, to a domain that is always the same; mails take up to 80 ms, and leave somewhere within. */
  async run(processes: readonly Permits[], { steps, stepMs }: { steps: number; stepMs: number }): Promise<void> {
    let open: { hold: Hold; leavesAt: number; endsAt: number }[] = [];
    for (let step = 0; step < steps; step += 1) {
      this.now += stepMs;
      for (const { leavesAt } of open.filter((one) => one.endsAt <= this.now)) this.left.push(leavesAt);
      for (const { hold } of open.filter((one) => one.endsAt <= this.now)) hold.end(true);
      open = open.filter((one) => one.endsAt > this.now);
      for (const permits of processes) {
        for (let mails = 0; mails < 5; mails += 1) {
          if (permits.look('relay', ['example.com'], new Map()) === 'free') {
            const hold = permits.hold('relay', ['example.com']);
            const takesMs = this.#random() * 80;
            if (hold) open.push({ hold, leavesAt: this.now + this.#random() * takesMs, endsAt: this.now + takesMs });
          }
        }
        await permits.refill();
      }
    }
    for (const { hold, leavesAt } of open) {
      this.left.push(leavesAt);
      hold.end(true);
    }
  }

  /** The most that left within any window of this length. */
  most(ms: number): number {
    const left = this.left.sort((a, b) => a - b);
    let [most, from] = [0, 0];
    for (let to = 0; to < left.length; to += 1) {
      while ((left[to] ?? 0) - (left[from] ?? 0) >= ms) from += 1;
      most = Math.max(most, to - from + 1);
    }
    return most;
  }

  #random(): number {
    this.#seed = (this.#seed * 16_807) % 2_147_483_647;
    return this.#seed / 2_147_483_647;
  }
}

const ofRelay = (...own: Ceiling[]): Rates => ({ own, domain: { ceilings: [], connections: null } });

describe('three processes that share a ceiling', () => {
  const workers = ['one', 'two', 'three'];

  it('exceed it in no window of its length, and leave little of it unused', async (t) => {
    const database = await open(t);
    const world = new World(ofRelay(second(14), minute(300)), fromLedger(database));
    const processes = workers.map((one) => world.process(one));
    await world.run(processes, { steps: 240, stepMs: 25 });
    assert.ok(world.most(1_000) <= 14, `${world.most(1_000)} within a second`);
    // Six seconds at 14.
    assert.ok(world.left.length >= 0.8 * 14 * 6, `only ${world.left.length} left`);
    await world.run(processes, { steps: 160, stepMs: 750 });
    assert.ok(world.most(1_000) <= 14, `${world.most(1_000)} within a second`);
    assert.ok(world.most(60_000) <= 300, `${world.most(60_000)} within a minute`);
  });

  it('would exceed it with a ledger each: the control', async () => {
    const world = new World(ofRelay(second(14)), async (_, takings) =>
      takings.map(({ wants }) => ({ more: Math.min(wants, 5), usedUp: null })),
    );
    await world.run(
      workers.map((one) => world.process(one)),
      { steps: 100, stepMs: 25 },
    );
    assert.ok(world.most(1_000) > 14);
  });

  it('know after a restart what was used before it', async (t) => {
    const database = await open(t);
    const world = new World(ofRelay(day(20)), fromLedger(database));
    await world.run([world.process('before')], { steps: 20, stepMs: 50 });
    assert.equal(world.left.length, 20);
    // Nobody has said goodbye: it was killed.
    await world.run([world.process('after')], { steps: 20, stepMs: 60_000 });
    assert.equal(world.left.length, 20);
    world.now += 25 * 3_600_000;
    await world.run([world.process('after')], { steps: 20, stepMs: 50 });
    assert.equal(world.left.length, 40);
  });

  it('give back what they do not use', async (t) => {
    const database = await open(t);
    const world = new World(ofRelay(day(4)), fromLedger(database));
    const [idle, busy] = [world.process('idle'), world.process('busy')];
    for (let mails = 0; mails < 4; mails += 1) idle.look('relay', [], new Map());
    assert.equal(await idle.refill(), true);
    await idle.stop();
    await world.run([busy], { steps: 40, stepMs: 6_000 });
    assert.equal(world.left.length, 4);
  });
});

describe('a ceiling of a domain', () => {
  it('is each domain’s own, and says of which it is used up', async (t) => {
    const rates = { own: [], domain: { ceilings: [day(1)], connections: null } };
    const database = await open(t);
    const world = new World(rates, fromLedger(database));
    const permits = world.process('one');
    const look = (domain: string) => permits.look('relay', [domain], new Map());
    assert.equal(look('a.test'), 'ask');
    await permits.refill();
    permits.hold('relay', ['a.test'])?.end(true);
    assert.equal(look('a.test'), 'ask');
    await permits.refill();
    assert.deepEqual(look('a.test'), { is: 'used up', key: 'relay@a.test' });
    assert.equal(look('b.test'), 'ask');
    assert.deepEqual(permits.look('relay', ['b.test', 'a.test'], new Map()), { is: 'used up', key: 'relay@a.test' });
    assert.equal(permits.look('other', ['a.test'], new Map()), 'free');
  });

  it('counts what is under way to it at once', async () => {
    const rates = { own: [], domain: { ceilings: [], connections: 2 } };
    const permits = new World(rates, async () => []).process('one');
    const look = (taken = 0) => permits.look('relay', ['a.test'], new Map([['relay@a.test', taken]]));
    assert.equal(look(1), 'free');
    assert.deepEqual(look(2), { is: 'full', key: 'relay@a.test' });
    const holds = [permits.hold('relay', ['a.test']), permits.hold('relay', ['a.test'])];
    // What is asked for meanwhile forgets nothing of it.
    await permits.refill();
    assert.equal(permits.hold('relay', ['a.test']), null);
    assert.equal(permits.look('relay', ['b.test'], new Map()), 'free');
    holds[0]?.end(false);
    assert.equal(look(), 'free');
  });
});
