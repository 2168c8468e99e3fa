/** The judge of histories, on histories made by hand: each kind of violation, and what only looks like one. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Call, Deed, History, Mail, Seen } from './history.ts';
import { judge } from './judge.ts';

const mail: Mail = { id: 'one', isPromised: true, recipients: ['a@example.com'], scheduledAt: null, askedAt: 0 };
const gone: Seen = {
  recipient: 'a@example.com',
  dot: { email: 'one', at: 100, mailClockAt: 100, said: 'yes' },
  wasTaken: true,
  wasRefused: false,
};
const dotAt = (at: number, said: 'yes' | 'later' | 'no' | 'unclear' = 'yes'): Seen => ({
  ...gone,
  dot: { email: 'one', at, mailClockAt: at, said },
  wasTaken: said === 'yes',
  wasRefused: said === 'no',
});
const accepted = (ids: string, begunAt: number, endedAt: number | null = begunAt + 10, body = 'hello'): Call => ({
  key: 'key',
  body,
  begunAt,
  endedAt,
  saw: { kind: 'accepted', ids },
});
const deed = { begunAt: 40, endedAt: 50, outcome: 'done' } as const;
const cancel: Deed = { ...deed, kind: 'cancel', ids: ['one'] };
const again: Deed = { ...deed, kind: 'answer', id: 'one', answer: 'queued' };

function found(given: Partial<History>): string {
  const history = { calls: [], deeds: [], mails: [mail], seen: [gone], shown: new Set<string>() };
  return judge({ ...history, keyLifetimeMs: 1_000, toleranceMs: 5, ...given }).join('\n');
}

test('a mail that was accepted once and has left once is as it should be', () => {
  assert.equal(found({ calls: [accepted('one', 0), accepted('one', 20)] }), '');
});

test('another answer under a living key is a violation, whatever came first', () => {
  assert.match(found({ calls: [accepted('one', 0), accepted('two', 20)] }), /answered one, then two/);
  const overlapping = [accepted('one', 0, 100), accepted('two', 20, 50)];
  assert.match(found({ calls: overlapping }), /answered two, then one/);
});

test('a key that is over may be answered anew', () => {
  assert.equal(found({ calls: [accepted('one', 0), accepted('two', 1_001)] }), '');
  // It may have been written by a try that nobody heard of.
  const unheard: Call = { ...accepted('one', 0, null), saw: { kind: 'none' } };
  assert.match(found({ calls: [unheard, accepted('one', 500), accepted('two', 900)] }), /answered one, then two/);
});

test('another body is accepted under no living key, and refused under none that nobody has used', () => {
  assert.match(found({ calls: [accepted('one', 0), accepted('two', 20, 30, 'other')] }), /two bodies/);
  const conflict: Call = { ...accepted('', 20), body: 'other', saw: { kind: 'conflict' } };
  assert.equal(found({ calls: [accepted('one', 0), conflict] }), '');
  assert.match(found({ calls: [conflict] }), /there was none/);
  assert.match(found({ calls: [conflict, { ...accepted('one', 40) }] }), /there was none/);
});

test('a dot follows another only where that one was put off, or an operator wanted it', () => {
  assert.match(found({ seen: [gone, dotAt(200)] }), /2 dots/);
  assert.match(found({ seen: [dotAt(100, 'unclear'), dotAt(200)] }), /2 dots/);
  assert.equal(found({ seen: [dotAt(100, 'later'), dotAt(200)] }), '');
  assert.equal(found({ seen: [dotAt(100, 'unclear'), dotAt(200)], deeds: [again] }), '');
  assert.match(found({ seen: [gone, dotAt(200), dotAt(300)], deeds: [again] }), /3 dots/);
  assert.match(found({ seen: [gone, dotAt(200)], deeds: [{ ...again, outcome: 'refused' }] }), /2 dots/);
  assert.equal(found({ seen: [gone, dotAt(200)], deeds: [{ ...again, outcome: 'unknown' }] }), '');
});

test('a dot of a mail nobody was told of counts, too', () => {
  assert.match(found({ mails: [{ ...mail, id: null, isPromised: false }], seen: [gone, dotAt(200)] }), /2 dots/);
  // What an operator wants of it counts as well.
  const unheard = [{ ...mail, isPromised: false }];
  assert.equal(found({ mails: unheard, seen: [dotAt(100, 'unclear'), dotAt(200)], deeds: [again] }), '');
});

test('a second email for one mail leaves only where the key of the first was over', () => {
  const second = (at: number): Seen => ({ ...gone, dot: { email: 'two', at, mailClockAt: at, said: 'yes' } });
  assert.match(found({ seen: [gone, second(200)] }), /a dot of two, and before of one/);
  assert.equal(found({ seen: [gone, second(1_001)] }), '');
  assert.match(found({ seen: [gone, second(1_001), second(1_002)] }), /2 dots/);
});

test('what was called off has not left, and leaves no more', () => {
  assert.equal(found({ deeds: [cancel], seen: [] }), '');
  assert.match(found({ deeds: [cancel], seen: [dotAt(10)] }), /canceled, so it was said, and taken/);
  assert.match(found({ deeds: [cancel], seen: [dotAt(60, 'later')] }), /after it was canceled/);
  assert.equal(found({ deeds: [{ ...cancel, outcome: 'unknown' }], seen: [dotAt(60)] }), '');
  assert.equal(found({ deeds: [{ ...cancel, outcome: 'refused' }], seen: [dotAt(60)] }), '');
  const late: Deed = { ...deed, kind: 'reschedule', id: 'one', to: 500, begunAt: 60, endedAt: 70 };
  assert.match(found({ deeds: [cancel, late], seen: [] }), /moved to another time/);
  assert.equal(found({ deeds: [cancel, { ...late, begunAt: 45 }], seen: [] }), '');
});

test('nothing leaves before the earliest time that may count', () => {
  const scheduled = [{ ...mail, scheduledAt: 300 }];
  assert.match(found({ mails: scheduled }), /left 200 ms before its time/);
  const moved: Deed = { ...deed, kind: 'reschedule', id: 'one', to: 90 };
  assert.equal(found({ mails: scheduled, deeds: [moved] }), '');
  assert.equal(found({ mails: scheduled, deeds: [{ ...moved, outcome: 'unknown' }] }), '');
  assert.match(found({ mails: scheduled, deeds: [{ ...moved, outcome: 'refused' }] }), /before its time/);
  assert.match(found({ mails: scheduled, deeds: [{ ...moved, to: 400 }] }), /left 300 ms/);
});

test('what was accepted has left, was refused, called off, settled by people, or is shown', () => {
  assert.match(found({ seen: [] }), /lost for a@example.com/);
  assert.match(found({ seen: [dotAt(100, 'unclear')] }), /lost/);
  assert.equal(found({ seen: [dotAt(100, 'no')] }), '');
  assert.equal(found({ seen: [], shown: new Set(['one']) }), '');
  assert.equal(found({ seen: [], deeds: [{ ...cancel, outcome: 'unknown' }] }), '');
  assert.match(found({ seen: [], deeds: [{ ...cancel, outcome: 'refused' }] }), /lost/);
  assert.equal(found({ seen: [], deeds: [{ ...deed, kind: 'suppress', address: 'a@example.com' }] }), '');
  assert.match(found({ seen: [], deeds: [again] }), /lost/);
  assert.equal(found({ seen: [], mails: [{ ...mail, id: null, isPromised: false }] }), '');
});
