/** What workers do, in any order and also when it is too late; and what is done to what the dead ones left. */

import fc from 'fast-check';
import type { TestOutcome } from '../../src/core/address.ts';
import { edges } from '../../src/core/delivery.ts';
import type { Edge } from '../../src/core/delivery-state.ts';
import type { RecipientReply } from '../../src/core/outcome.ts';
import { nobodyTried, type Tried } from '../../src/core/passed-over.ts';
import { noReply, ownWords, type Reply, readReply } from '../../src/core/reply.ts';
import { accountsWithDue, claimDue, handBack, handBackForgotten, markAlone } from '../../src/store/mail/claim.ts';
import { type Delivery, type DeliveryRef, never, partName } from '../../src/store/mail/deliveries.ts';
import { move } from '../../src/store/mail/move.ts';
import {
  doubtForgottenHandoffs,
  doubtLostHandoffs,
  recover,
  requeueExpiredClaims,
  sendAgainDue,
} from '../../src/store/mail/recover.ts';
import {
  openGate,
  settleInDoubt,
  settlePutOff,
  settleRefused,
  settleRejected,
  settleTaken,
  settleUnreached,
} from '../../src/store/mail/settle.ts';
import { settleSimulated, settleSuppressed, siftDelivery } from '../../src/store/mail/suppressed.ts';
import { listWaitedFor, releaseSome, waitFor } from '../../src/store/mail/waiting.ts';
import { beat, sayGoodbye } from '../../src/store/workers.ts';
import type { DeliveryRow } from '../support/delivery-row.ts';
import { account, isMostly } from './client-operations.ts';
import type { Engine } from './engine.ts';
import type { Model } from './model.ts';
import { dayMs, minuteMs, operation, pick, recent, type Step } from './operation.ts';
import { deadAfterMs, leaseMs, refOf } from './workers.ts';

const worker = fc.constantFrom('left', 'right');
const policy = fc.constantFrom('hold' as const, 'send-again' as const);
/** The last one is beyond what any delivery is given. */
const retryIn = fc.constantFrom(1_000, 1_000, 1_000, minuteMs, 6 * dayMs);

const said = (text: string): Reply => readReply(text) ?? noReply(text);
const taken = said('250 2.0.0 taken');
const later = said('451 4.3.0 later');
const policyRefusal = said('550 5.7.1 policy');
const gone = said('550 5.1.1 nobody');
const away = noReply('connect ECONNREFUSED');

/** What each recipient is answered, round and round. Null: taken. */
const envelope = fc.array(fc.constantFrom(null, null, null, later, gone, policyRefusal), {
  minLength: 1,
  maxLength: 3,
});
const refusals = fc.array(fc.constantFrom(later, gone, policyRefusal), { minLength: 1, maxLength: 3 });

/** Of one that a worker was given: mostly one that has it still, in a state for which this is meant. */
function onHeld<Choices>(
  name: string,
  weight: number,
  choices: { [Name in keyof Choices]: fc.Arbitrary<Choices[Name]> },
  step: (held: Delivery, choices: Choices, model: Model) => Step | null,
  isApt: (row: DeliveryRow, held: Delivery) => boolean = isItsOwn,
) {
  const whole = { ...choices, which: recent, isApt: isMostly };
  return operation<Choices & { which: number; isApt: boolean }>(name, weight, whole as never, (chosen, model) => {
    const apt = model.held.filter((held) => model.partsOf(held).every(({ row }) => isApt(row, held)));
    const late = model.held.filter((held) => model.partsOf(held).some(({ row }) => isAnothers(row, held)));
    const some = [chosen.isApt ? apt : late, model.held].find((list) => list.length > 0) ?? [];
    const held = pick(some, chosen.which);
    return held ? step(held, chosen, model) : null;
  });
}

function isItsOwn({ state, attempt }: DeliveryRow, held: Delivery): boolean {
  return state === 'sending' && attempt === held.attempt;
}

/** Taken back since, and claimed once more. */
function isAnothers({ state, attempt }: DeliveryRow, held: Delivery): boolean {
  return state === 'sending' && attempt !== held.attempt;
}

function isItsGate({ state, handoffAttempt }: DeliveryRow, held: Delivery): boolean {
  return ['handoff', 'in_doubt', 'queued', 'sending'].includes(state) && handoffAttempt === held.attempt;
}

function isBehindItsGate({ state, attempt }: DeliveryRow, held: Delivery): boolean {
  return state === 'handoff' && attempt === held.attempt;
}

function isUnderWay(row: DeliveryRow, held: Delivery): boolean {
  return isItsOwn(row, held) || isBehindItsGate(row, held);
}

/** Which relay it came to, and what it waits for. */
const waitedFor = ['one', 'one two'] as const;
const tried = fc.constantFrom<Tried>(nobodyTried, { relay: 'one', passedOver: [] }, { relay: 'two', passedOver: [] });

/** What another process may have read before somebody else was faster. */
const stagesAlone = ['try_alone', 'composed_alone', 'harmless'] as const;
const lateEdges = [
  ...(['claim', 'forgotten', 'lease_over', 'orphaned', 'spared', 'silenced', 'orphaned_handoff'] as const),
  ...(['lost_handoff', 'hold', 'hold_doubt', 'send_again', 'wait', 'release', 'stop_repeats'] as const),
  ...(['shown', 'noticed_delivered', 'noticed_bounced', 'parted_sent', 'parted_delivered'] as const),
];

export const workerOperations = [
  operation(
    'claim',
    14,
    { account, isApt: isMostly, worker, limit: fc.constantFrom(1, 1, 2, 10) },
    ({ account: other, isApt, worker, limit }, model) => {
      const [due] = model.accountsWithDue();
      if (isApt && due === undefined) return null;
      const account = (isApt && due) || other;
      // All that are due at one moment, since no order is promised among those.
      const all = model.dueOf(account, limit).length;
      const terms = { now: model.now, leaseMs, limit: Math.max(limit, all) };
      return {
        expected: () => [model.accountsWithDue(), model.claim(account, worker, limit).map(shown).sort()],
        act: async (engine) => [
          await accountsWithDue(engine.database, model.now),
          (await engine.write((tx) => claimDue(tx, account, worker, terms))).map(shown).sort(),
        ],
      };
    },
  ),
  onHeld('try alone', 4, { edge: fc.constantFrom(...stagesAlone) }, (held, { edge }, model) => ({
    expected: () => model.markAlone(edge, held),
    act: (engine) => engine.write((tx) => markAlone(tx, edge, held, model.now)),
  })),
  onHeld('wait', 4, { waitsFor: fc.constantFrom(...waitedFor) }, (held, { waitsFor }, model) => {
    const until = model.now + 10 * minuteMs;
    return {
      expected: () => model.wait(held, waitsFor, until),
      act: (engine) => engine.write((tx) => waitFor(tx, held, { waitsFor, until, now: model.now })),
    };
  }),
  operation('release', 3, { waitsFor: fc.constantFrom(...waitedFor) }, ({ waitsFor }, model) => ({
    expected: () => [model.waitedFor(), model.release(waitsFor)],
    act: async (engine) => [
      await listWaitedFor(engine.database),
      await engine.write((tx) => releaseSome(tx, waitsFor, { now: model.now, limit: 100 })),
    ],
  })),
  onHeld('hand back', 2, {}, (held, _, model) => ({
    expected: () => model.handBack(held),
    act: (engine) => engine.write((tx) => handBack(tx, held, model.now)),
  })),
  operation('forgotten claims', 1, { worker, known: fc.nat(2) }, ({ worker, known }, model) => {
    const some: DeliveryRef[] = model.held.slice(0, known);
    return {
      expected: () => model.handBackForgotten(worker, some),
      act: (engine) => engine.write((tx) => handBackForgotten(tx, worker, new Set(some.map(partName)), model.now)),
    };
  }),
  operation('forgotten hand-offs', 1, { worker, policy, known: fc.nat(2) }, ({ worker, policy, known }, model) => {
    const some: DeliveryRef[] = model.held.slice(0, known);
    const terms = { worker, held: new Set(some.map(partName)), now: model.now, policy };
    return {
      expected: () => names([model.loseHandoffs(policy, { worker, known: some })]),
      act: async (engine) => names([await engine.write((tx) => doubtForgottenHandoffs(tx, terms))]),
      isUnordered: true,
    };
  }),
  operation('lost hand-offs', 2, { policy, isLater: fc.boolean() }, ({ policy, isLater }, model) => {
    if (isLater) model.now += 16 * minuteMs;
    return {
      expected: () => names([model.loseHandoffs(policy, null)]),
      act: async (engine) =>
        names([await engine.write((tx) => doubtLostHandoffs(tx, { now: model.now, policy, limit: 100 }))]),
      isUnordered: true,
    };
  }),
  onHeld('sift', 6, {}, (held, _, model) => {
    const before = { ...held };
    return {
      expected: () => {
        const sifted = model.sift(held);
        // Whoever stays is all the worker goes on with.
        if (sifted && sifted.clear.length > 0) held.recipients = sifted.clear;
        return sifted && true;
      },
      act: (engine) => sift(engine, before, model.now),
    };
  }),
  onHeld(
    'gate',
    14,
    { envelope, bytes: fc.constantFrom(1, 2), retryIn, tried },
    (held, { envelope, bytes, retryIn, tried }, model) => {
      const reply = answersTo(held, envelope);
      if (reply.accepted.length === 0) return null;
      const contentHash = new Uint8Array(32).fill(bytes);
      const terms = { now: model.now, retryAt: model.now + retryIn, contentHash, tried };
      return {
        expected: () => model.gate(held, reply, terms),
        act: (engine) => engine.write((tx) => openGate(tx, held, reply, terms)),
      };
    },
  ),
  onHeld(
    'verdict',
    10,
    { reply: fc.constantFrom(taken, later, gone, policyRefusal), isDelivered: fc.boolean(), retryIn },
    (held, { reply, isDelivered, retryIn }, model) => {
      const retryAt = model.now + retryIn;
      return {
        expected: () => model.verdict(held, reply, { isDelivered, retryAt }),
        act: (engine) => verdict(engine, held, { reply, isDelivered, retryAt, now: model.now }),
      };
    },
    isItsGate,
  ),
  onHeld(
    'refused',
    6,
    { refusals, isOneReply: fc.boolean(), retryIn, tried },
    (held, { refusals, isOneReply, retryIn, tried }, model) => {
      const answers = isOneReply ? refusals.slice(0, 1) : refusals;
      const outcome = { refused: answersTo(held, answers).refused, isOneReply };
      const retryAt = model.now + retryIn;
      return {
        expected: () => model.refused(held, outcome, { retryAt, tried }),
        act: (engine) => engine.write((tx) => settleRefused(tx, held, outcome, { now: model.now, retryAt, tried })),
      };
    },
  ),
  onHeld(
    'unreached',
    6,
    { retryIn, tried, waitsFor: fc.constantFrom(null, ...waitedFor) },
    (held, { retryIn, tried, waitsFor }, model) => {
      const again = { retryAt: model.now + retryIn, tried, waitsFor };
      return {
        expected: () => model.unreached(held, away, again),
        act: (engine) => engine.write((tx) => settleUnreached(tx, held, { reply: away, now: model.now, ...again })),
      };
    },
    isUnderWay,
  ),
  onHeld(
    'doubt',
    7,
    { waits: fc.constantFrom(true, true, true, false) },
    (held, { waits }, model) => {
      const runAt = waits ? model.now + 10 * minuteMs : never;
      return {
        expected: () => model.doubt(held, 'Silence.', runAt),
        act: (engine) =>
          engine.write((tx) => settleInDoubt(tx, held, { reason: ownWords('Silence.'), now: model.now, runAt })),
      };
    },
    isBehindItsGate,
  ),
  onHeld(
    'simulate',
    5,
    { outcome: fc.constantFrom<TestOutcome>('delivered', 'bounced', 'complained', 'suppressed') },
    (held, { outcome }, model) => ({
      expected: () => model.simulate(held, outcome),
      act: (engine) => engine.write((tx) => settleSimulated(tx, held, outcome, model.now)),
    }),
  ),
  operation('beat', 4, { worker }, ({ worker }, model) => ({
    expected: () => model.beat(worker),
    act: (engine) => engine.write((tx) => beat(tx, worker, model.now)),
  })),
  operation('goodbye', 1, { worker }, ({ worker }, model) => ({
    expected: () => model.goodbye(worker),
    act: (engine) => engine.write((tx) => sayGoodbye(tx, worker)),
  })),
  operation('recover', 3, { policy }, ({ policy }, model) => {
    const terms = { now: model.now, policy, limit: 100, deadBefore: model.now - deadAfterMs };
    return {
      expected: () => names(Object.values(model.recover(policy))),
      act: async (engine) => names(Object.values(await engine.write((tx) => recover(tx, terms)))),
      isUnordered: true,
    };
  }),
  operation('send again', 4, { isLater: fc.boolean() }, ({ isLater }, model) => {
    if (isLater) model.now += 11 * minuteMs;
    return {
      expected: () => names([model.sendAgainDue()]),
      act: async (engine) => names([await engine.write((tx) => sendAgainDue(tx, model.now, 100))]),
      isUnordered: true,
    };
  }),
  operation('leases', 2, {}, (_, model) => ({
    expected: () => names([model.endLeases()]),
    act: async (engine) => names([await engine.write((tx) => requeueExpiredClaims(tx, model.now, 100))]),
    isUnordered: true,
  })),
  operation(
    'too late',
    6,
    {
      edge: fc.constantFrom(...lateEdges),
      isApt: isMostly,
      which: recent,
      version: fc.constantFrom(0, 1, 1, 2),
      worker,
    },
    ({ edge, isApt, which, version, worker }, model) => {
      const leaving = model.deliveries.filter(({ row }) => isMovable(edges[edge], row));
      const one = pick(isApt && leaving.length > 0 ? leaving : model.deliveries, which);
      if (!one) return null;
      const fence = pick([...one.past, one.row], version)?.attempt ?? 0;
      const runAt = model.now + leaseMs;
      const reply = ownWords('Late.');
      const { recipients } = one;
      const rest = { recipients, worker, waits_for: 'one', fence, now: model.now };
      const terms = { run_at: runAt, held_until: model.now, reply, ...rest };
      const ref = refOf(one);
      return {
        expected: () =>
          model.move(edge, ref, { runAt, heldUntil: model.now, reply, recipients, worker, waitsFor: 'one', fence }) !==
          null,
        act: (engine) => engine.write(async (tx) => (await move(tx, edge, ref, terms, () => null)) !== null),
      };
    },
  ),
];

function isMovable({ from }: Edge, { state }: DeliveryRow): boolean {
  return from.includes(state);
}

function answersTo(
  { recipients }: Delivery,
  answers: (Reply | null)[],
): { accepted: string[]; refused: RecipientReply[] } {
  const each = recipients.map((address, index) => ({ address, reply: answers[index % answers.length] ?? null }));
  return {
    accepted: each.filter((one) => one.reply === null).map((one) => one.address),
    refused: each.flatMap(({ address, reply }) => (reply ? [{ address, reply }] : [])),
  };
}

/** Null: nobody is suppressed. */
async function sift(engine: Engine, held: Delivery, now: number): Promise<boolean | null> {
  const sifted = await siftDelivery(engine.database, held);
  return sifted && engine.write((tx) => settleSuppressed(tx, held, sifted, now));
}

function verdict(
  engine: Engine,
  held: Delivery,
  { reply, isDelivered, retryAt, now }: { reply: Reply; isDelivered: boolean; retryAt: number; now: number },
): Promise<boolean> {
  const state = isDelivered ? 'delivered' : 'sent';
  return engine.write((tx) => {
    switch (reply.said.class) {
      case 'ok':
        return settleTaken(tx, held, { state, reply, now });
      case 'transient':
        return settlePutOff(tx, held, { reply, now, retryAt });
      case 'permanent':
        return settleRejected(tx, held, { reply, now });
      default:
        return reply.said.class satisfies never;
    }
  });
}

/** Engines give bytes of different kinds, in no order. */
function shown({ boundTo, ...rest }: Delivery): string {
  return JSON.stringify({ ...rest, boundTo: boundTo && Buffer.from(boundTo).toString('hex') });
}

function names(lists: DeliveryRef[][]): string[][] {
  return lists.map((list) => list.map(partName).sort());
}
