/** The smallest send, and how tests look at the refusal of a changed one. */

import assert from 'node:assert/strict';
import { AppError, type ErrorCode } from '../../src/core/error.ts';
import { parseSend } from '../../src/http/resend/parse.ts';

export const fixedNow = Date.parse('2026-04-03T22:13:42.674Z');
export const smallestMail = {
  from: 'Acme <onboarding@resend.dev>',
  to: 'ann@example.org',
  subject: 'Hello',
  html: '<p>Hi</p>',
};
export const addressRule =
  'The email address needs to follow the `email@example.com` or `Name <email@example.com>` format.';

export const send = (changes: object) => parseSend({ ...smallestMail, ...changes }, fixedNow);

export function refusal(run: () => unknown): AppError {
  try {
    run();
  } catch (error) {
    assert(error instanceof AppError, `expected a refusal, got ${String(error)}`);
    return error;
  }
  assert.fail('expected a refusal, got none');
}

export function assertRefused(changes: object, code: ErrorCode, message: string | RegExp): void {
  const error = refusal(() => send(changes));
  assert.equal(error.code, code);
  if (typeof message === 'string') assert.equal(error.message, message);
  else assert.match(error.message, message);
}
