/** When a recipient domain is left alone, for how long, and what is no sign of it. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Reply, readReply } from '../../src/core/reply.ts';
import { DomainRests, signsOf } from '../../src/deliver/relays/domain-rests.ts';

const said = (text: string): Reply => {
  const reply = readReply(text);
  assert(reply);
  return reply;
};

describe('a domain that puts off', () => {
  it('rests after three mails in a row, longer each time, and is tried with one mail at a time', () => {
    const rests = new DomainRests();
    const isResting = (now: number, taken = 0) => rests.isResting('relay@a.test', now, taken);
    for (const _ of [1, 2]) rests.learn('relay@a.test', true, 0);
    assert.equal(isResting(0), false);
    rests.learn('relay@a.test', true, 0);
    assert.deepEqual([isResting(29_999), isResting(30_000), isResting(30_000, 1)], [true, false, true]);
    rests.begin('relay@a.test');
    assert.equal(isResting(30_000), true);
    rests.end('relay@a.test');
    // Those that were under way meanwhile say nothing new.
    rests.learn('relay@a.test', true, 10_000);
    assert.equal(isResting(30_000), false);
    rests.learn('relay@a.test', true, 30_000);
    assert.deepEqual([isResting(89_999), isResting(90_000), rests.nextAfter(30_000)], [true, false, 90_000]);
    for (let now = 90_000; now < 10_000_000; now += 1_000_000) rests.learn('relay@a.test', true, now);
    assert.equal(rests.nextAfter(9_090_000) - 9_090_000, 15 * 60_000);
    rests.learn('relay@a.test', false, 9_090_000);
    assert.equal(isResting(9_090_000), false);
  });

  it('is one that refuses every recipient of a mail for now, not one that refuses a mailbox', () => {
    const rcpt = (...replies: [string, string][]) => {
      const refused = replies.map(([address, text]) => ({ address, reply: said(text) }));
      return Object.fromEntries(signsOf({ phase: 'refused', refused, isOneReply: false }, null));
    };
    assert.deepEqual(rcpt(['a@a.test', '450 4.7.1 later'], ['b@b.test', '451 later']), {
      'a.test': true,
      'b.test': true,
    });
    assert.deepEqual(rcpt(['a@a.test', '450 4.7.1 later'], ['b@a.test', '550 5.1.1 no']), { 'a.test': false });
    assert.deepEqual(rcpt(['a@a.test', '452 4.2.2 full']), { 'a.test': false });
    // Each new recipient is greylisted: the mails that were have to be let through at their time.
    assert.deepEqual(rcpt(['a@a.test', '451 4.7.1 Greylisting in action']), { 'a.test': false });
    const away = { phase: 'unreached' as const, reply: said('451 no session'), isDomainAway: true as const };
    assert.deepEqual(Object.fromEntries(signsOf(away, null, ['a@A.test'])), { 'a.test': true });
    assert.deepEqual(
      Object.fromEntries(signsOf({ ...away, isDomainAway: undefined as never }, null, ['a@a.test'])),
      {},
    );
    const dot = (text: string, ...accepted: string[]) =>
      Object.fromEntries(signsOf({ phase: 'verdict', reply: said(text) }, { accepted, refused: [] }));
    assert.deepEqual(dot('421 4.7.0 too many', 'a@A.test'), { 'a.test': true });
    assert.deepEqual(dot('250 ok', 'a@a.test', 'b@b.test'), { 'a.test': false, 'b.test': false });
    assert.deepEqual(dot('451 later', 'a@a.test', 'b@b.test'), {});
    assert.deepEqual(Object.fromEntries(signsOf({ phase: 'in_doubt', reason: '' }, { accepted: [], refused: [] })), {});
  });
});
