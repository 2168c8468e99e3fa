/** What operators and account holders do: answer doubts, hold everything, suppress, subscribe. */

import fc from 'fast-check';
import type { Subject } from '../../src/core/event.ts';
import { doubtAnswers } from '../../src/store/mail/doubt.ts';
import { holdOpenDeliveries } from '../../src/use-cases/hold.ts';
import { account, people } from './client-operations.ts';
import { webhooksMax } from './model.ts';
import { dayMs, hourMs, operation, pick, recent } from './operation.ts';
import { isIn, refOf } from './workers.ts';

const answer = fc.constantFrom(...doubtAnswers);

/** Hard and soft bounces are one facade's words, `bounced` another's: no webhook has both. */
const subjects = fc.constantFrom<Subject[]>(
  ['sent', 'delivered', 'bounced', 'delivery_delayed', 'failed', 'canceled', 'complained', 'suppressed', 'scheduled'],
  ['hard_bounce', 'queued', 'suppression_added', 'suppression_removed'],
  ['soft_bounce', 'sent', 'delivery_delayed'],
  [],
);

/** Ids are asked for again, also by the other account. */
const webhookId = fc.constantFrom('w1', 'w2', 'w3');

export const personOperations = [
  operation(
    'answer doubt',
    4,
    {
      which: recent,
      isAnyState: fc.boolean(),
      isOwner: fc.boolean(),
      isThere: fc.constantFrom(true, true, true, false),
      answer,
      waitMs: fc.constantFrom(0, 10_000),
    },
    ({ which, isAnyState, isOwner, isThere, answer, waitMs }, model) => {
      const one = pick(isAnyState ? model.deliveries : model.deliveries.filter(isIn('in_doubt')), which);
      if (!one) return null;
      const ref = isThere ? refOf(one) : { ...refOf(one), part: 9 };
      return {
        expected: () => {
          const answered = model.answerDoubt(ref, answer, waitMs);
          // Who does not know the account finds what is in doubt, and nothing else.
          return isOwner || answered.isSettled ? answered : { isSettled: false, state: null };
        },
        act: ({ doubt }) => doubt.answer({ ...ref, account: isOwner ? ref.account : null }, answer, waitMs),
      };
    },
  ),
  operation('take an answer back', 2, { which: recent }, ({ which }, model) => {
    const again = pick(model.sentAgain, which);
    if (!again) return null;
    return {
      expected: () => model.takeAnswerBack(again),
      act: ({ doubt }) => doubt.takeBack(again.ref, again.attempt),
    };
  }),
  operation(
    'answer, and take that back',
    4,
    { which: recent, isTwice: fc.boolean(), waitMs: fc.constantFrom(0, 10_000) },
    ({ which, isTwice, waitMs }, model) => {
      const one = pick(model.deliveries.filter(isIn('in_doubt')), which);
      if (!one) return null;
      const ref = refOf(one);
      const times = isTwice ? [1, 2] : [1];
      return {
        expected: () => {
          const { attempt = -1 } = model.answerDoubt(ref, 'send-again', waitMs);
          return times.map(() => model.takeAnswerBack({ ref, attempt }));
        },
        act: async ({ doubt }) => {
          const answered = await doubt.answer(ref, 'send-again', waitMs);
          const attempt = answered.isSettled ? answered.attempt : -1;
          const back = [];
          for (const _ of times) back.push(await doubt.takeBack(ref, attempt));
          return back;
        },
      };
    },
  ),
  operation('answer all doubts', 1, { answer }, ({ answer }, model) => ({
    expected: () => model.answerAll(answer),
    act: ({ doubt }) => doubt.answerAll(answer),
    isUnordered: true,
  })),
  operation('hold', 1, { isRare: fc.nat(3) }, ({ isRare }, model) =>
    isRare > 0
      ? null
      : {
          expected: () => model.hold('Held.'),
          act: ({ database }) => holdOpenDeliveries(database, model.now, 'Held.'),
          isUnordered: true,
        },
  ),
  operation('suppress', 4, { account, addresses: people }, ({ account, addresses }, model) => ({
    expected: () =>
      model.addSuppressions(
        account,
        addresses.map((one) => one.toLowerCase()),
      ),
    act: async ({ suppress }) => (await suppress.add(account, addresses, 'manual')).map(withoutId),
  })),
  operation('unsuppress', 2, { account, addresses: people }, ({ account, addresses }, model) => ({
    expected: () => addresses.map((one) => model.removeSuppression(account, one.toLowerCase())),
    act: async ({ suppress }) =>
      (
        await suppress.remove(
          account,
          addresses.map((address) => ({ address })),
        )
      ).map((one) => one && withoutId(one)),
  })),
  operation('unsuppress bounces', 1, { account, ms: fc.constantFrom(hourMs, 9 * dayMs) }, ({ account, ms }, model) => ({
    expected: () => model.removeBounces(account, model.now - ms),
    act: ({ suppress }) => suppress.removeBounces(account, { address: null, from: model.now - ms, until: model.now }),
  })),
  operation('make webhook', 3, { account, id: webhookId, subjects, perRecipient: fc.boolean() }, (chosen, model) => {
    const wanted = { ...chosen, url: `https://hooks.example.com/${chosen.id}` };
    return { expected: () => model.makeWebhook(wanted), act: (engine) => engine.makeWebhook(wanted) };
  }),
  operation(
    'make webhooks until there are too many',
    1,
    { account, isRare: fc.nat(5) },
    ({ account, isRare }, model) => {
      if (isRare > 0) return null;
      const ids = Array.from({ length: webhooksMax + 1 }, (_, index) => `${account} ${index}`);
      const one = (id: string) => model.makeWebhook({ account, id, url: 'u', subjects: [], perRecipient: false });
      return { expected: () => ids.map(one), act: (engine) => engine.makeWebhooks(account, ids) };
    },
  ),
  operation(
    'change webhook',
    3,
    {
      which: recent,
      enabled: fc.constantFrom(undefined, true, false),
      events: fc.option(fc.record({ subjects, perRecipient: fc.boolean() })),
    },
    ({ which, enabled, events }, model) => {
      const webhook = pick(named(model.webhooks), which);
      if (!webhook) return null;
      const change = {
        ...(enabled === undefined ? {} : { enabled }),
        ...(events ? { events: { names: [], ...events } } : {}),
      };
      return {
        expected: () => model.changeWebhook(webhook.id, { ...(enabled === undefined ? {} : { enabled }), ...events }),
        act: async (engine) => (await engine.subscribe.change(engine.webhook(webhook.id), change)) !== null,
      };
    },
  ),
  operation('rotate secret', 1, { which: recent }, ({ which }, model) => {
    const webhook = pick(named(model.webhooks), which);
    if (!webhook) return null;
    return {
      expected: () => model.rotateSecret(webhook.id),
      act: async (engine) => (await engine.subscribe.rotate(engine.webhook(webhook.id))) !== null,
    };
  }),
  operation('delete webhook', 1, { which: recent }, ({ which }, model) => {
    const webhook = pick(named(model.webhooks), which);
    if (!webhook) return null;
    return {
      expected: () => model.deleteWebhook(webhook.id),
      act: (engine) => engine.subscribe.remove(engine.webhook(webhook.id)),
    };
  }),
];

/** Not those that were made to be too many. */
function named<One extends { id: string }>(webhooks: One[]): One[] {
  return webhooks.filter(({ id }) => id.startsWith('w'));
}

/** Suppressions are named by chance. */
function withoutId<One extends { id: string }>({ id: _, ...rest }: One): Omit<One, 'id'> {
  return rest;
}
