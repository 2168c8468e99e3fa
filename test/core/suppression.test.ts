import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isMailboxGone, suppressionKey } from '../../src/core/suppression.ts';
import { replyOf } from '../support/reply.ts';

describe('a refusal', () => {
  const gone = [
    '550 5.1.1 The email account that you tried to reach does not exist.',
    '550 5.1.1: nobody here',
    '550-5.1.1 The email account that you tried to reach\n550 5.1.1 does not exist',
    '551 5.1.6 moved away',
    '554 5.2.1 mailbox disabled',
    '556 5.1.10 Recipient address has null MX',
  ];
  for (const reply of gone) {
    it(`says that the mailbox is gone: ${JSON.stringify(reply)}`, () =>
      assert.equal(isMailboxGone(replyOf(reply).said), true));
  }

  const notGone = [
    '550 5.7.1 refused by policy',
    '554 5.7.26 unauthenticated',
    '550 No such user here',
    '550 5.1.2 host unknown',
    '552 5.2.2 mailbox full',
    '550 5.1.11 not a code we know',
    '550 5.1.100 nor this',
    '550 5.1.1.1 nor this',
    '550 5.2.10 nor this',
    '450 4.1.1 try later',
    '450 5.1.1 a temporary reply with a permanent code',
    '550 mentions 5.1.1 later on',
    'simulated: bounced',
    '',
  ];
  for (const reply of notGone) {
    it(`does not say so: ${JSON.stringify(reply)}`, () => assert.equal(isMailboxGone(replyOf(reply).said), false));
  }
});

describe('two spellings of an address', () => {
  it('are the same whatever the case', () =>
    assert.equal(suppressionKey('Ann@Example.COM'), suppressionKey('ann@example.com')));
});
