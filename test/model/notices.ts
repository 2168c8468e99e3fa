/** The specification of what comes back: which notice is told, and whom it moves. */

import fc from 'fast-check';
import type { Notice, NoticeKind } from '../../src/core/notice.ts';
import { ownWords, type Reply, readReply } from '../../src/core/reply.ts';
import { suppressionKey } from '../../src/core/suppression.ts';
import type { DeliveryRef } from '../../src/store/mail/deliveries.ts';
import { holdNotices, type Noted, takeNotice } from '../../src/store/mail/notices.ts';
import { isMostly } from './client-operations.ts';
import { operation, pick, recent } from './operation.ts';
import type { Detail, ModelDelivery, Room } from './room.ts';
import { isIn, refOf } from './workers.ts';

const kinds = ['bounced', 'delivered', 'delayed', 'passed_on', 'complained'] as const;
const replies = ['550 5.1.1 nobody', '550 5.7.1 policy', '451 4.4.1 expired'].map((text) => readReply(text) as Reply);

/** In any spelling, of somebody else, or of nobody. */
const named = fc.constantFrom('as it is', 'in capitals', 'another', 'elsewhere');

export const noticeOperations = [
  operation(
    'notice',
    8,
    {
      which: recent,
      isApt: isMostly,
      kind: fc.constantFrom<NoticeKind>('bounced', ...kinds),
      reply: fc.constantFrom(...replies),
      whom: fc.nat(3),
      named,
      isWordy: fc.boolean(),
      isThere: isMostly,
    },
    ({ which, isApt, kind, reply, whom, named, isWordy, isThere }, model) => {
      const apt = model.deliveries.filter(isIn('sent', 'delivered', 'in_doubt', 'handoff'));
      const one = pick(isApt && apt.length > 0 ? apt : model.deliveries, which);
      if (!one) return null;
      const ref = isThere ? refOf(one) : { ...refOf(one), part: 9 };
      const [first] = model.deliveries.filter((other) => other.emailId === one.emailId);
      const others = [...one.recipients, ...(first?.recipients ?? [])];
      const address = pick(others, whom) ?? '';
      const spelled = { 'as it is': address, 'in capitals': address.toUpperCase(), another: 'x@example.net' };
      const recipients = named === 'elsewhere' ? ['gone@elsewhere.example', address] : [spelled[named]];
      const notice: Notice = { kind, reply, recipients, ...(isWordy ? { isWordy } : {}) };
      return {
        expected: () => noticeTaken(model, ref, notice),
        act: (engine) =>
          engine.write(async (tx) => {
            await holdNotices(tx, ref);
            return takeNotice(tx, ref, notice, model.now);
          }),
      };
    },
  ),
];

function noticeTaken(model: Room, ref: DeliveryRef, notice: Notice): Noted {
  const noted = take(model, ref, notice);
  model.coverage.answered('take a notice', noted);
  return noted;
}

function take(model: Room, ref: DeliveryRef, { kind, recipients, isWordy, reply }: Notice): Noted {
  model.move('shown', ref, {
    runAt: model.now,
    reply: ownWords('What came back about it shows that the relay took it.'),
  });
  const [one, address] = find(model, ref, recipients, isWordy === true) ?? [];
  if (!one || address === undefined || !isIn('sent', 'delivered', 'bounced')(one)) return 'nobody';
  if (kind === 'passed_on') return 'known';
  const { account, emailId, part } = ref;
  const recipient = suppressionKey(address);
  const isKnown = model.notices.some(
    (known) =>
      known.account === account && known.emailId === emailId && known.recipient === recipient && known.kind === kind,
  );
  if (isKnown) return 'known';
  model.notices.push({ account, emailId, part, recipient, kind });
  const { state } = one.row;
  const told: Detail = { recipients: [address], reply: reply.text, said: reply.said, by: 'notice' };
  const relayed: Detail = one.relay === null ? told : { ...told, relay: one.relay };
  if (kind === 'complained') {
    model.tell(account, emailId, 'complained', told);
    model.suppress({
      account,
      address,
      origin: 'complaint',
      sourceId: emailId,
      reply: reply.text,
      createdAt: model.now,
    });
    return 'told';
  }
  if (kind === 'delayed') {
    if (state !== 'sent') return 'known';
    model.tell(account, emailId, 'delivery_delayed', relayed);
    return 'told';
  }
  if (state === 'bounced' || (kind === 'delivered' && state !== 'sent')) return 'known';
  const was = state === 'delivered' ? 'delivered' : 'sent';
  const detail: Detail = kind === 'bounced' ? { was } : {};
  if (one.recipients.length === 1) {
    model.move(`noticed_${kind}`, refOf(one), { runAt: model.now, reply, detail });
    return 'told';
  }
  const { giveUpAt, relay } = one;
  model.move(`parted_${was}`, refOf(one), { recipients: one.recipients.filter((other) => other !== address) });
  const own = { account, emailId, recipients: [address], runAt: model.now, giveUpAt, policy: null };
  model.insert({ ...own, reply: reply.text, relay, state: kind });
  model.tell(account, emailId, kind, { ...relayed, ...detail });
  return 'told';
}

function find(
  model: Room,
  ref: DeliveryRef,
  candidates: readonly string[],
  isWordy: boolean,
): [ModelDelivery, string] | null {
  const parts = model.partsOf({ account: ref.account, emailId: ref.emailId });
  const named = parts.find((one) => one.part === ref.part);
  if (!named) return null;
  const told = model.notices
    .filter((one) => one.account === ref.account && one.emailId === ref.emailId && one.part === ref.part)
    .map(({ recipient }) => recipient);
  const addressIn = (one: ModelDelivery, candidate: string) =>
    one.recipients.find((address) => suppressionKey(address) === suppressionKey(candidate));
  for (const candidate of candidates) {
    const inNamed = addressIn(named, candidate);
    if (inNamed !== undefined) return [named, inNamed];
    if (!told.includes(suppressionKey(candidate))) continue;
    for (const one of parts) {
      const address = addressIn(one, candidate);
      if (address !== undefined) return [one, address];
    }
  }
  const [only, ...others] = named.recipients;
  const isOnly = only !== undefined && others.length === 0 && told.every((one) => one === suppressionKey(only));
  return isOnly && !isWordy ? [named, only] : null;
}
