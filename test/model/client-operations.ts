/** What clients do: send, again, otherwise, cancel, reschedule, and the keys they leave behind. */

import fc from 'fast-check';
import type { Message } from '../../src/core/email.ts';
import { deleteExpiredKeys } from '../../src/store/idempotency.ts';
import { purgeContents } from '../../src/store/mail/purge.ts';
import type { Endpoint, SendRequest, Submission } from '../../src/use-cases/submission.ts';
import { accounts } from './engine.ts';
import type { Model } from './model.ts';
import { dayMs, hourMs, minuteMs, operation, pick, recent, type Step } from './operation.ts';

type Wanted = { to: string[]; after: number | null; policy: 'hold' | 'send-again' | null };
type Content = { subject: string; messages: Wanted[] };

const followed: Endpoint = {
  facade: 'resend',
  name: 'POST /emails',
  keyTerms: { lifetimeMs: dayMs, followsSchedule: true },
  differences: (stored, { json }) => {
    const messages = messagesOf(json as Content);
    if (messages.length !== stored.length) return ['count'];
    const names = ['to', 'subject', 'scheduledAt', 'tags'] as const;
    return names.filter(
      (name) => JSON.stringify(messages.map((one) => one[name])) !== JSON.stringify(stored.map((one) => one[name])),
    );
  },
};

const refusing: Endpoint = {
  facade: 'brevo',
  name: 'POST /smtp/email',
  keyTerms: { lifetimeMs: 30 * minuteMs, followsSchedule: false },
  differences: null,
};

const addresses = ['a@example.com', 'b@example.com', 'c@example.com', 'Gone@example.com'];
export const people = fc.uniqueArray(fc.constantFrom(...addresses), { minLength: 1, maxLength: 3 });
const pretending = fc.constantFrom(
  'delivered@resend.dev',
  'bounced@resend.dev',
  'complained@resend.dev',
  'suppressed@resend.dev',
);

const recipients = fc.oneof(
  { weight: 5, arbitrary: people },
  { weight: 1, arbitrary: pretending.map((one) => [one]) },
  { weight: 1, arbitrary: fc.tuple(people, pretending).map(([some, one]) => [...some, one]) },
);
const wanted: fc.Arbitrary<Wanted> = fc.record({
  to: recipients,
  after: fc.constantFrom(null, null, null, null, null, null, hourMs, 2 * dayMs),
  policy: fc.constantFrom(null, null, 'hold' as const, 'send-again' as const),
});
const content: fc.Arbitrary<Content> = fc.record({
  subject: fc.constantFrom('one', 'two'),
  messages: fc.oneof(
    { weight: 8, arbitrary: fc.array(wanted, { minLength: 1, maxLength: 1 }) },
    { weight: 2, arbitrary: fc.array(wanted, { minLength: 0, maxLength: 3 }) },
  ),
});
export const account = fc.constantFrom(accounts[0], accounts[0], accounts[1]);

/** By the absolute time it was written with, so that the same content is the same request whenever it comes. */
const scheduleStart = 1_800_000_000_000;

function messagesOf({ subject, messages }: Content): Message[] {
  return messages.map(({ to, after, policy }) => ({
    from: 'me@example.org',
    to,
    cc: [],
    bcc: [],
    replyTo: [],
    subject,
    html: '<p>words</p>',
    text: null,
    headers: [],
    tags: policy === null ? [] : [{ name: 'sendonce-in-doubt', value: policy }],
    topicId: null,
    attachments: [],
    scheduledText: null,
    scheduledAt: after === null ? null : scheduleStart + after,
  }));
}

function submissionOf(wanted: Content): Submission {
  return {
    messages: messagesOf(wanted),
    answer: (emails) => ({ status: 200, body: JSON.stringify(emails.map((one) => [one.id, one.messageId])) }),
  };
}

/** What a program has sent so far, by the model that was told. */
const sent = new WeakMap<Model, { request: SendRequest; wanted: Content }[]>();

function send(model: Model, request: SendRequest, content: Content, isValid = true): Step {
  const submission = isValid ? submissionOf(content) : null;
  const soFar = sent.get(model) ?? [];
  sent.set(model, soFar);
  if (isValid) soFar.push({ request, wanted: content });
  return { expected: () => model.accept(request, submission), act: (engine) => engine.accept(request, submission) };
}

function bytesOf(json: unknown, spaces = 0): Uint8Array {
  return Buffer.from(JSON.stringify(json, null, spaces));
}

function emailAt(model: Model, index: number, isOwn: boolean): { account: string; emailId: string } | null {
  const email = pick(model.emails, index);
  if (!email) return null;
  const other = accounts.find((one) => one !== email.account) ?? '';
  return { account: isOwn ? email.account : other, emailId: email.id };
}

export const isMostly = fc.constantFrom(true, true, true, true, true, true, true, false);

export const sending = operation(
  'send',
  12,
  { account, isFollowed: isMostly, key: fc.constantFrom(null, 'k', 'l'), content, isValid: isMostly },
  ({ account, isFollowed, key, content, isValid }, model) => {
    const endpoint = isFollowed ? followed : refusing;
    const request = {
      account,
      endpoint,
      key,
      body: bytesOf(content),
      json: content,
      mode: '',
      client: null,
      attempt: null,
      origin: {},
      keyDomain: null,
    };
    return send(model, request, content, isValid);
  },
);

export const clientOperations = [
  sending,
  operation('send again', 6, { which: recent, spaces: fc.constantFrom(0, 1) }, ({ which, spaces }, model) => {
    const before = pick(sent.get(model) ?? [], which);
    if (!before) return null;
    const { request, wanted } = before;
    return send(model, { ...request, body: bytesOf(wanted, spaces) }, wanted);
  }),
  operation('cancel', 8, { which: recent, isOwn: isMostly }, ({ which, isOwn }, model) => {
    const ref = emailAt(model, which, isOwn);
    if (!ref) return null;
    return { expected: () => model.cancel(ref), act: ({ amend }) => amend.cancel(ref.account, ref.emailId) };
  }),
  operation(
    'reschedule',
    3,
    { which: recent, isOwn: isMostly, after: fc.constantFrom(0, 0, 0, hourMs, dayMs) },
    ({ which, isOwn, after }, model) => {
      const ref = emailAt(model, which, isOwn);
      if (!ref) return null;
      const at = model.now + after;
      return {
        expected: () => model.reschedule(ref, at, dayMs),
        act: ({ amend }) =>
          amend.reschedule(ref.account, ref.emailId, {
            at,
            text: 'then',
            keyTerms: { lifetimeMs: dayMs, followsSchedule: true },
          }),
      };
    },
  ),
  operation('flush key uses', 3, {}, (_, model) => ({
    expected: () => model.flushKeyUses(),
    act: ({ keyUses }) => keyUses.flush(),
  })),
  operation('collect keys', 1, {}, (_, model) => ({
    expected: () => model.collectKeys(),
    act: (engine) => engine.write((tx) => deleteExpiredKeys(tx, model.now, 100)),
  })),
  operation(
    'purge log',
    2,
    { which: recent, isOwn: isMostly, address: fc.constantFrom(null, ...addresses) },
    ({ which, isOwn, address }, model) => {
      const ref = emailAt(model, which, isOwn);
      const named = address?.toLowerCase() ?? null;
      if (!ref) return null;
      return {
        expected: () => model.purgeLog(ref, named),
        act: ({ purge }) => purge.log(ref.account, ref.emailId, named),
      };
    },
  ),
  operation('purge', 1, {}, (_, model) => ({
    expected: () => model.purge(),
    act: (engine) => engine.write((tx) => purgeContents(tx, model.now - dayMs, model.now, 100)),
  })),
  operation(
    'wait',
    6,
    {
      ms: fc.constantFrom(1_000, 1_000, 20_000, minuteMs, 11 * minuteMs, 31 * minuteMs, hourMs, 25 * hourMs, 4 * dayMs),
    },
    ({ ms }, model) => {
      model.now += ms;
      return null;
    },
  ),
];
