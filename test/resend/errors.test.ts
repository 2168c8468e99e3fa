/** Refusals in Resend's shape (docs/resend.md). */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { AppError, type ErrorCode } from '../../src/core/error.ts';
import { errorTable, refusalTexts, renderError } from '../../src/http/resend/errors.ts';

/** The names PHP and .NET know (docs/resend.md). */
const knownNames =
  'application_error concurrent_idempotent_requests daily_quota_exceeded internal_server_error invalid_access invalid_api_key invalid_attachment invalid_from_address invalid_idempotency_key invalid_idempotent_request invalid_parameter invalid_region method_not_allowed missing_api_key missing_required_field monthly_quota_exceeded not_found rate_limit_exceeded restricted_api_key security_error validation_error'.split(
    ' ',
  );

describe('renderError', () => {
  it('uses only names that every SDK knows', () => {
    assert.equal(knownNames.length, 21);
    for (const { name } of Object.values(errorTable)) assert(knownNames.includes(name), name);
  });

  it('writes the body of the real API byte for byte', () => {
    const rendered = renderError(new AppError('idempotency_mismatch', refusalTexts.idempotencyMismatch));
    assert.equal(rendered.status, 409);
    assert.equal(
      rendered.body,
      '{"statusCode":409,"name":"invalid_idempotent_request","message":"This idempotency key has been used with this HTTP method and endpoint within the last 24 hours, but the request body was modified and doesn\'t match the original request."}',
    );
    assert.deepEqual(rendered.headers, { 'content-type': 'application/json; charset=utf-8' });
    assert.equal(
      renderError(new AppError('not_found', refusalTexts.emailNotFound)).body,
      '{"statusCode":404,"name":"not_found","message":"Email not found"}',
    );
  });

  it('has the status and name of each code', () => {
    const expected: [ErrorCode, number, string][] = [
      ['invalid_api_key', 401, 'validation_error'],
      ['invalid_idempotency_key', 400, 'invalid_idempotency_key'],
      ['idempotency_busy', 409, 'concurrent_idempotent_requests'],
      ['missing_field', 422, 'missing_required_field'],
      ['invalid_field', 422, 'validation_error'],
      ['invalid_attachment', 422, 'invalid_attachment'],
      ['method_not_allowed', 405, 'method_not_allowed'],
      ['rate_limited', 429, 'rate_limit_exceeded'],
      ['unavailable', 503, 'internal_server_error'],
    ];
    for (const [code, status, name] of expected) assert.deepEqual(errorTable[code], { status, name });
    for (const { status } of Object.values(errorTable)) assert(status >= 400, 'Ruby knows an error by its statusCode');
  });

  it('adds extras last, but never one that an SDK would take for the error itself', () => {
    const extra = { fields: ['subject'], statusCode: 200, name: 'x', message: 'x', type: 'x', code: 'x', error: 'x' };
    assert.equal(
      renderError(new AppError('invalid_field', 'Bad', { extra })).body,
      '{"statusCode":422,"name":"validation_error","message":"Bad","fields":["subject"]}',
    );
  });

  it('says when to come back as a plain integer of at least one second', () => {
    const header = (retryAfterSeconds: number) =>
      renderError(new AppError('rate_limited', 'Slow', { retryAfterSeconds })).headers['retry-after'];
    assert.deepEqual([header(0.2), header(0), header(1.1), header(30)], ['1', '1', '2', '30']);
  });

  it('never shows the cause', () => {
    const rendered = renderError(new AppError('internal', refusalTexts.internal, { cause: new Error('SECRET') }));
    assert.doesNotMatch(JSON.stringify(rendered), /SECRET/);
  });
});
