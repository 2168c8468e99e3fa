/** The bodies of the SDKs that cannot run here, read without a server (docs/resend.md). */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Message } from '../../src/core/email.ts';
import { AppError } from '../../src/core/error.ts';
import { diffFields } from '../../src/http/resend/diff.ts';
import { parseBatch, parseSend } from '../../src/http/resend/parse.ts';
import { parseReschedule } from '../../src/http/resend/parse-schedule.ts';
import { stored } from '../support/stored.ts';
import { fixtures } from './fixtures.ts';
import { fixedNow } from './refusal.ts';

describe('the bytes of the other SDKs', () => {
  for (const fixture of fixtures.filter(({ what }) => what !== 'empty key')) {
    it(`${fixture.sdk}: ${fixture.what} ${fixture.method} ${fixture.path}`, () => {
      const written = fixture.body?.replaceAll('{{later}}', '2026-04-05T11:52:01.858Z') ?? '';
      const body = written === '' ? undefined : JSON.parse(written);
      const status = statusOf(() => {
        if (fixture.path === '/emails') assert.equal(fixture.expect.ids, parseSend(body, fixedNow) && 1);
        if (fixture.path === '/emails/batch')
          assert.equal(parseBatch(body, 'strict', fixedNow).drafts.length, fixture.expect.ids);
        if (fixture.method === 'PATCH') assert(parseReschedule(body, fixedNow).scheduledAt);
      });
      assert.equal(status, fixture.expect.status);
    });
  }

  it('say the same in every language', async () => {
    const sends = fixtures
      .filter(({ what }) => what === 'single')
      .map(({ body }) => parseSend(JSON.parse(body ?? ''), fixedNow));
    assert.equal(sends.length, 7);
    for (const draft of sends) assert.deepEqual(draft, sends[0]);
    const files = fixtures
      .filter(({ what }) => what === 'attachment')
      .map(({ body }) => parseSend(JSON.parse(body ?? ''), fixedNow));
    for (const draft of files) assert.deepEqual(await diffFields(stored(files[0] as Message), draft), []);
  });

  function statusOf(run: () => void): number {
    try {
      run();
      return 200;
    } catch (error) {
      if (error instanceof AppError) return 422;
      throw error;
    }
  }
});
