/** Which moments `scheduled_at` can say, and which it cannot (docs/resend.md). */

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { AppError } from '../../src/core/error.ts';
import { resendLimits } from '../../src/http/resend/limits.ts';
import { parseReschedule, parseSchedule } from '../../src/http/resend/parse-schedule.ts';
import { readEnglishDate } from '../../src/render/english-date.ts';

const readWords = (text: string, now: number) => readEnglishDate({ text, now });

/** A Friday. */
const fixedNow = Date.parse('2026-04-03T16:00:00.500Z');

function moment(text: unknown, now = fixedNow): string | null {
  const { scheduledAt } = parseSchedule(text, now, readWords, resendLimits);
  return scheduledAt === null ? null : new Date(scheduledAt).toISOString();
}

function assertRefused(value: unknown, message: RegExp, now = fixedNow): void {
  assert.throws(
    () => parseSchedule(value, now, readWords, resendLimits),
    (error) => error instanceof AppError && error.code === 'invalid_field' && message.test(error.message),
    JSON.stringify(value),
  );
}

describe('scheduled_at', () => {
  it('reads ISO 8601 and what Postgres, Ruby, Python and .NET make of it', () => {
    const same = [
      '2026-04-05T11:52:01.858Z',
      '2026-04-05t11:52:01.858z',
      '2026-04-05 11:52:01.858+00',
      '2026-04-05T11:52:01.8580000Z',
      '2026-04-05T13:52:01.858+02:00',
      '2026-04-05T07:22:01,858-0430',
      '2026-04-05 11:52:01.858 UTC',
      '2026-04-05 11:52:01.858 +0000',
      '2026-04-05T11:52:01.858',
    ];
    for (const text of same) assert.equal(moment(text), '2026-04-05T11:52:01.858Z', text);
    assert.equal(moment('2026-04-05T11:52'), '2026-04-05T11:52:00.000Z');
    assert.equal(moment('2026-04-05'), '2026-04-05T00:00:00.000Z');
  });

  it('reads the English of the documentation', () => {
    assert.equal(moment('in 1 min'), '2026-04-03T16:01:00.500Z');
    assert.equal(moment('in 1 hour'), '2026-04-03T17:00:00.500Z');
    assert.equal(moment('in an hour'), '2026-04-03T17:00:00.500Z');
    assert.equal(moment('in 2 hours and 30 minutes'), '2026-04-03T18:30:00.500Z');
    assert.equal(moment('tomorrow at 9am'), '2026-04-04T09:00:00.000Z');
    assert.equal(moment('Friday at 3pm ET'), '2026-04-03T19:00:00.000Z');
    assert.equal(moment('April 20 at 9:30pm CET'), '2026-04-20T19:30:00.000Z');
    assert.equal(moment('Sun, 05 Apr 2026 10:00:00 +0200'), '2026-04-05T08:00:00.000Z');
    assert.equal(moment('now'), null);
  });

  it('means the next one: what has passed today comes tomorrow, what has passed this week comes next week', () => {
    assert.equal(moment('9am'), '2026-04-04T09:00:00.000Z');
    assert.equal(moment('5pm'), '2026-04-03T17:00:00.000Z');
    assert.equal(moment('Friday at 9am'), '2026-04-10T09:00:00.000Z');
    assert.equal(moment('Wednesday at 9am'), '2026-04-08T09:00:00.000Z');
    assert.equal(moment('Friday at 3pm ET', Date.parse('2026-04-03T19:30:00Z')), '2026-04-10T19:00:00.000Z');
  });

  it('does not turn what is behind us into the next one', () => {
    const saturday = Date.parse('2026-04-04T12:30:00Z');
    for (const text of ['last friday at 9am', 'wednesday last week', '9am this morning', 'yesterday']) {
      assertRefused(text, /in the past/, saturday);
    }
  });

  it('means the day of the zone that was named', () => {
    const lateFridayInNewYork = Date.parse('2026-04-04T02:00:00Z');
    assert.equal(moment('tomorrow at 9am ET', lateFridayInNewYork), '2026-04-04T13:00:00.000Z');
    assert.equal(moment('tomorrow at 9am', lateFridayInNewYork), '2026-04-05T09:00:00.000Z');
  });

  it('takes up to 30 days ahead', () => {
    assert.equal(moment('in 30 days'), '2026-05-03T16:00:00.500Z');
    for (const text of ['in 31 days', '2026-05-03T16:00:01Z', '9999-12-31', 'in 999999999 weeks', 'Aug 5']) {
      assertRefused(text, /at most 30 days ahead/);
    }
  });

  it('sends at once what is up to an hour late, and refuses what is later', () => {
    assert.equal(moment('2026-04-03T15:00:01Z'), null);
    assert.equal(
      parseSchedule('2026-04-03T15:00:01Z', fixedNow, readWords, resendLimits).scheduledText,
      '2026-04-03T15:00:01Z',
    );
    for (const text of ['2026-04-03T14:59:59Z', '2025-04-03', 'yesterday at 9am', '2 days ago', 'last friday']) {
      assertRefused(text, /in the past/);
    }
  });

  it('says what it accepts where it cannot read', () => {
    const unreadable = [
      ...['garbage', '1786000000', 'soon', 'foo tomorrow', 'tomorrow at 25:00', 'Friday to Sunday', 'every monday'],
      ...['2026-02-30', '2026-04-05T25:00:00Z', '2026-04-05T11:60:00Z', '2026-13-01', '2026-04-05T11:00:00+24:00'],
      ...['tomorrow at 9am\r\n', 'x'.repeat(101), ' ', 5, true, {}, ['in 1 hour']],
    ];
    for (const value of unreadable) assertRefused(value, /ISO 8601 date such as .* or English such as/);
  });

  it('is absent where it is null or empty', () => {
    for (const value of [undefined, null, '']) assert.equal(moment(value), null);
  });

  it('does not count to 999999999 day by day', () => {
    const text = 'ET and / last - in 999999999 day ET ET and 12:00 9am next last in friday';
    const started = performance.now();
    assert.throws(() => parseSchedule(text, fixedNow, readWords, resendLimits), AppError);
    assert.ok(performance.now() - started < 20_000);
  });

  it('never throws anything else and never takes long', () => {
    const word = fc.constantFrom(
      'in',
      'at',
      'mon',
      'friday',
      'to',
      '9',
      '9am',
      'ET',
      '1',
      '/',
      '-',
      'day',
      'last',
      'next',
      'Apr',
      '12:00',
      'and',
      '+',
      '999999999',
    );
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.array(word, { maxLength: 20 }).map((words) => words.join(' ')),
        ),
        (text) => {
          const started = performance.now();
          try {
            const { scheduledAt } = parseSchedule(text, fixedNow, readWords, resendLimits);
            assert(
              scheduledAt === null ||
                (scheduledAt > fixedNow && scheduledAt <= fixedNow + resendLimits.scheduleAheadMsMax),
            );
          } catch (error) {
            assert(error instanceof AppError, String(error));
          }
          assert(performance.now() - started < 20_000, text);
        },
      ),
      { numRuns: 1000 },
    );
  });

  it('does not depend on the zone of the server', () => {
    const texts = [
      'Friday at 3pm ET',
      'tomorrow at 2:30am',
      'in 1 hour',
      '9am',
      '2026-04-05T02:30',
      'next tuesday at 10am',
    ];
    // The hours around New York's change to summer time.
    const script = `
      import { parseSchedule } from ${JSON.stringify(new URL('../../src/http/resend/parse-schedule.js', import.meta.url).href)};
      import { readEnglishDate } from ${JSON.stringify(new URL('../../src/render/english-date.js', import.meta.url).href)};
      import { resendLimits } from ${JSON.stringify(new URL('../../src/http/resend/limits.js', import.meta.url).href)};
      for (const day of ['2026-03-07T16:00:00Z', '2026-03-07T23:30:00Z', '2026-04-03T16:00:00Z'])
        for (const text of ${JSON.stringify(texts.filter((text) => !text.startsWith('2026')))})
          console.log(parseSchedule(text, Date.parse(day), (text, now) => readEnglishDate({ text, now }), resendLimits).scheduledAt);`;
    const [first, ...others] = ['UTC', 'America/New_York', 'Pacific/Apia'].map((TZ) =>
      execFileSync(process.execPath, ['--input-type=module', '-e', script], {
        env: { ...process.env, TZ },
        encoding: 'utf8',
      }),
    );
    for (const other of others) assert.equal(other, first);
  });
});

describe('parseReschedule', () => {
  it('reads the moment and ignores what SDKs repeat beside it', () => {
    const schedule = { scheduledText: 'in 1 min', scheduledAt: fixedNow + 60_000 };
    for (const extra of [{}, { id: 'x' }, { email_id: 'x' }]) {
      assert.deepEqual(parseReschedule({ ...extra, scheduled_at: 'in 1 min' }, fixedNow), schedule);
    }
  });

  it('misses scheduled_at where it is not there', () => {
    for (const body of [undefined, null, {}, { scheduled_at: '' }, { scheduled_at: null }]) {
      assert.throws(() => parseReschedule(body, fixedNow), {
        code: 'missing_field',
        message: 'Missing `scheduled_at` field.',
      });
    }
    for (const body of [[], 'x', 5]) assert.throws(() => parseReschedule(body, fixedNow), { code: 'invalid_field' });
  });
});
