/** What clients, operators, time and accidents do to a server, as commands that fast-check puts in any order. */

import assert from 'node:assert/strict';
import fc from 'fast-check';
import { type ApiRequest, hourMs, type Model, type Payload, type Register } from './model.ts';
import { type RelayMode, relayModes } from './relay.ts';
import type { Heard, World } from './world.ts';

type Step = { name: string; check?: (model: Model) => boolean; run: (model: Model, world: World) => Promise<void> };
type Command = fc.AsyncCommand<Model, World>;

function command({ name, check, run }: Step): Command {
  return {
    check: (model) => check?.(model) ?? true,
    async run(model, world) {
      await run(model, world);
      world.check(model);
    },
    toString: () => name,
  };
}

type Shape = { isBatch: boolean; key: number; variant: number; inHours: number };

/** Few keys, few bodies: so that they meet. */
const shapes: fc.Arbitrary<Shape> = fc.record({
  isBatch: fc.boolean(),
  key: fc.nat({ max: 2 }),
  variant: fc.nat({ max: 1 }),
  inHours: fc.constantFrom(0, 0, 0, 1, 48),
});

function payload(model: Model, variant: number, inHours: number): Payload {
  return {
    from: 'Acme <onboarding@resend.dev>',
    to: ['to@example.com'],
    subject: `variant ${variant}`,
    html: '<p>it works</p>',
    tags: [{ name: 'kind', value: 'property' }],
    ...(inHours > 0 ? { scheduled_at: new Date(model.now + inHours * hourMs).toISOString() } : {}),
  };
}

function requestOf(model: Model, { isBatch, key, variant, inHours }: Shape): ApiRequest {
  const one = payload(model, variant, inHours);
  const whole = isBatch ? [one, payload(model, variant + 10, 0)] : one;
  const text = JSON.stringify(whole);
  return { path: isBatch ? '/emails/batch' : '/emails', key: `key/${key}`, payload: whole, text, meaning: text };
}

/** The same JSON as another program would write it. */
function reordered(request: ApiRequest): ApiRequest {
  const turn = (one: Payload) => Object.fromEntries(Object.entries(one).reverse());
  const turned = Array.isArray(request.payload) ? request.payload.map(turn) : turn(request.payload);
  return { ...request, text: JSON.stringify(turned, null, 2) };
}

function changed(request: ApiRequest): ApiRequest {
  const text = request.text.replace('it works', 'it worked');
  return { ...request, payload: JSON.parse(text), text, meaning: text };
}

const asIs = (request: ApiRequest) => request;
const forms = { same: asIs, reordered, changed };

async function sendAndObserve(model: Model, world: World, request: ApiRequest): Promise<void> {
  model.observe(request, heard(await world.send(request)));
}

function heard(reply: Heard) {
  assert(reply, 'a living server answers');
  return reply;
}

const send = shapes.map((shape) =>
  command({
    name: `send ${JSON.stringify(shape)}`,
    run: (model, world) => sendAndObserve(model, world, requestOf(model, shape)),
  }),
);

const sendWithoutKey = shapes.map((shape) =>
  command({
    name: `send without a key ${JSON.stringify(shape)}`,
    run: (model, world) => sendAndObserve(model, world, { ...requestOf(model, shape), key: null }),
  }),
);

/** A refusal burns no key: what is sent next under it is judged as if this had never come. */
const sendInvalid = shapes.map((shape) =>
  command({
    name: `send invalid ${JSON.stringify(shape)}`,
    async run(model, world) {
      const request = requestOf(model, shape);
      const text = request.text.replace('to@example.com', 'nobody');
      const reply = heard(await world.send({ ...request, text }));
      assert.equal(reply.status, model.liveRegister(request) ? 409 : 422, reply.text);
    },
  }),
);

const retry = fc.tuple(fc.nat(), fc.constantFrom('same', 'same', 'reordered', 'changed')).map(([pick, form]) =>
  command({
    name: `retry ${form} ${pick}`,
    check: (model) => model.registers.size > 0,
    run: (model, world) => sendAndObserve(model, world, forms[form](picked(model.registers, pick).request)),
  }),
);

function picked<T>(map: Map<string, T>, pick: number): T {
  return [...map.values()][pick % map.size] as T;
}

const sendAtOnce = fc.tuple(shapes, fc.integer({ min: 2, max: 6 }), fc.boolean()).map(([shape, times, isMixed]) =>
  command({
    name: `send ${times} at once ${JSON.stringify(shape)}${isMixed ? ' of two kinds' : ''}`,
    async run(model, world) {
      const request = requestOf(model, shape);
      const requests = Array.from({ length: times }, (_, at) => {
        if (isMixed && at % 2 === 1) return changed(request);
        return at % 3 === 2 ? reordered(request) : request;
      });
      const replies = await Promise.all(requests.map(async (one) => heard(await world.send(one))));
      model.observeTogether(requests, replies);
    },
  }),
);

const advance = fc
  .constantFrom(1, 1_000, 16 * 60_000, hourMs, 6 * hourMs, 25 * hourMs)
  .map((ms) => command({ name: `advance ${ms} ms`, run: async (model, world) => world.advance(model, ms) }));

/** To the last millisecond of a key's life, or the first after it. */
const advanceToExpiry = fc.tuple(fc.nat(), fc.boolean()).map(([pick, isOver]) =>
  command({
    name: `advance to ${isOver ? 'the end' : 'the last moment'} of key ${pick}`,
    check: (model) => [...model.registers.values()].some((register) => register.expiresAt - 1 > model.now),
    async run(model, world) {
      const live = [...model.registers.values()].filter((register) => register.expiresAt - 1 > model.now);
      const { request, expiresAt } = live[pick % live.length] as Register;
      world.advance(model, expiresAt - model.now - (isOver ? 0 : 1));
      assert.equal(model.liveRegister(request) === null, isOver);
      await sendAndObserve(model, world, request);
    },
  }),
);

const collectGarbage = fc.constant(command({ name: 'collect garbage', run: (_, world) => world.tick() }));

const relay = fc.constantFrom<RelayMode>('prompt', ...relayModes).map((mode) =>
  command({
    name: `the relay ${mode}`,
    async run(_, world) {
      world.relay.behave(mode);
      await world.tick();
    },
  }),
);

const restart = fc.constant(command({ name: 'restart', run: (_, world) => world.restart() }));

/** Requests under way, a death some turns later, and clients that retry whatever they got no answer to. */
const crash = fc.tuple(fc.array(shapes, { maxLength: 5 }), fc.nat({ max: 24 })).map(([load, turns]) =>
  command({
    name: `crash ${turns} turns into ${JSON.stringify(load)}`,
    async run(model, world) {
      const requests = onePerKey(load.map((shape) => requestOf(model, shape)));
      const replies = requests.map((request) => world.send(request));
      for (let turn = 0; turn < turns; turn++) await new Promise((resolve) => setImmediate(resolve));
      await world.crash();
      for (const [at, reply] of (await Promise.all(replies)).entries()) {
        if (reply) model.observe(requests[at] as ApiRequest, reply);
      }
      for (const request of requests) model.observeAfterLoss(request, heard(await world.send(request)));
      await world.recover(model);
    },
  }),
);

/** What two different requests under one key come to is another command's question. */
function onePerKey(requests: ApiRequest[]): ApiRequest[] {
  return [...new Map(requests.map((request) => [`${request.path} ${request.key}`, request])).values()];
}

const cancel = fc.nat().map((pick) =>
  command({
    name: `cancel ${pick}`,
    check: (model) => model.emails.size > 0,
    async run(model, world) {
      const email = picked(model.emails, pick);
      const mustSucceed = email.isCanceled || model.isWaiting(email);
      const mustFail = world.ledger.copies(email.id) > 0;
      const { status, text } = heard(await world.call('POST', `/emails/${email.id}/cancel`));
      assert(status === 200 ? !mustFail : status === 422 && !mustSucceed, `cancel: ${status} ${text}`);
      if (status === 200) email.isCanceled = true;
    },
  }),
);

const reschedule = fc.tuple(fc.nat(), fc.constantFrom(1, 30, 400)).map(([pick, hours]) =>
  command({
    name: `reschedule ${pick} by ${hours} h`,
    check: (model) => model.emails.size > 0,
    async run(model, world) {
      const email = picked(model.emails, pick);
      const at = model.now + hours * hourMs;
      const mustFail = email.isCanceled || world.ledger.copies(email.id) > 0;
      const mustSucceed = model.isWaiting(email);
      const body = JSON.stringify({ scheduled_at: new Date(at).toISOString() });
      const { status, text } = heard(await world.call('PATCH', `/emails/${email.id}`, body));
      assert(status === 200 ? !mustFail : status === 422 && !mustSucceed, `reschedule: ${status} ${text}`);
      if (status === 200) model.rescheduled(email, at);
    },
  }),
);

export const commands: fc.Arbitrary<Command>[] = [
  send,
  sendWithoutKey,
  sendInvalid,
  retry,
  retry,
  sendAtOnce,
  advance,
  advanceToExpiry,
  collectGarbage,
  relay,
  restart,
  crash,
  cancel,
  reschedule,
];
