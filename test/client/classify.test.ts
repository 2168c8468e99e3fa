/** What each answer of the two contracts, and of ours, means to whoever has asked: in each shape in which a client shows it. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { classify, type Outcome } from '../../src/client/client.ts';
import { errorTable as brevoErrors } from '../../src/http/brevo/errors.ts';
import { errorTable as resendErrors } from '../../src/http/resend/errors.ts';

type Refusal = [status: number, name: string, outcome: Outcome];

/** https://resend.com/docs/api-reference/errors, with the names that former editions and the SDKs have. */
const ofResend: Refusal[] = [
  [400, 'invalid_idempotency_key', 'refused'],
  [400, 'validation_error', 'refused'],
  [401, 'missing_api_key', 'refused'],
  [401, 'restricted_api_key', 'refused'],
  [401, 'validation_error', 'refused'],
  [403, 'email_above_quota', 'refused'],
  [403, 'invalid_api_key', 'refused'],
  [403, 'invalid_permission', 'refused'],
  [403, 'restricted_api_key', 'refused'],
  [403, 'suspended_api_key', 'refused'],
  [403, 'validation_error', 'refused'],
  [404, 'not_found', 'refused'],
  [405, 'method_not_allowed', 'refused'],
  [409, 'concurrent_idempotent_requests', 'retry'],
  [409, 'invalid_idempotent_request', 'conflict'],
  [409, 'resource_locked', 'retry'],
  [413, 'validation_error', 'refused'],
  [422, 'invalid_access', 'refused'],
  [422, 'invalid_attachment', 'refused'],
  [422, 'invalid_from_address', 'refused'],
  [422, 'invalid_parameter', 'refused'],
  [422, 'invalid_region', 'refused'],
  [422, 'missing_required_field', 'refused'],
  [422, 'missing_required_parameter', 'refused'],
  [429, 'daily_quota_exceeded', 'retry'],
  [429, 'monthly_quota_exceeded', 'retry'],
  [429, 'rate_limit_exceeded', 'retry'],
  [451, 'security_error', 'refused'],
  [500, 'application_error', 'unknown'],
  [500, 'internal_server_error', 'unknown'],
  [503, 'service_unavailable', 'unknown'],
];

/** https://developers.brevo.com/docs/error-codes and the codes of its OpenAPI file. */
const ofBrevo: Refusal[] = [
  [400, 'bad_request', 'refused'],
  [400, 'invalid_parameter', 'refused'],
  [400, 'missing_parameter', 'refused'],
  [400, 'out_of_range', 'refused'],
  [400, 'campaign_processing', 'refused'],
  [400, 'campaign_sent', 'refused'],
  [400, 'not_enough_credits', 'refused'],
  [400, 'duplicate_request', 'unknown'],
  [401, 'unauthorized', 'refused'],
  [402, 'account_under_validation', 'refused'],
  [402, 'not_enough_credits', 'refused'],
  [403, 'permission_denied', 'refused'],
  [403, 'reseller_permission_denied', 'refused'],
  [404, 'document_not_found', 'refused'],
  [405, 'method_not_allowed', 'refused'],
  [406, 'not_acceptable', 'refused'],
  [422, 'unprocessable_entity', 'refused'],
  [429, 'too_many_requests', 'retry'],
  [500, 'internal_error', 'unknown'],
];

const duplicate = { code: 'duplicate_parameter', message: 'Email for the idempotency key has already been processed' };

describe('classify', () => {
  for (const [status, name, outcome] of ofResend) {
    it(`takes Resend's ${status} ${name} for ${outcome}, from fetch, from the SDK and by itself`, async () => {
      const body = { statusCode: status, name, message: 'Words.' };
      assert.equal((await classify(Response.json(body, { status }))).outcome, outcome);
      assert.equal((await classify({ data: null, error: body, headers: {} })).outcome, outcome);
      assert.equal((await classify(body)).outcome, outcome);
    });
  }

  for (const [status, code, outcome] of ofBrevo) {
    it(`takes Brevo's ${status} ${code} for ${outcome}, from fetch and from each of its SDKs`, async () => {
      for (const answer of shownByBrevo(status, { code, message: 'Words.' }))
        assert.equal((await classify(answer)).outcome, outcome);
    });
  }

  it('knows every status and name that this server answers with', async () => {
    const notRefused = new Set<unknown>();
    for (const [code, { status, name }] of Object.entries(resendErrors)) {
      const { outcome } = await classify(Response.json({ statusCode: status, name }, { status }));
      if (outcome !== 'refused') notRefused.add(`${outcome} ${code}`);
    }
    for (const [code, { status, code: name }] of Object.entries(brevoErrors)) {
      const { outcome } = await classify(Response.json({ code: name, message: 'Words.' }, { status }));
      if (outcome !== 'refused') notRefused.add(`${outcome} ${code}`);
    }
    assert.deepEqual(
      [...notRefused].sort(),
      [
        'conflict idempotency_mismatch',
        'retry daily_quota',
        'retry idempotency_busy',
        'retry rate_limited',
        'retry wrong_keys',
        'unknown internal',
        'unknown too_slow',
        'unknown unavailable',
      ],
      'what is not among these changes nothing by being asked again',
    );
  });

  it("takes Brevo's refusal of a key's second use for accepted, with the ids where it names them", async () => {
    for (const answer of shownByBrevo(400, duplicate))
      assert.deepEqual(await classify(answer), { outcome: 'accepted' });
    for (const answer of shownByBrevo(400, { ...duplicate, messageId: '<1@x>' }))
      assert.deepEqual(await classify(answer), { outcome: 'accepted', ids: ['<1@x>'] });
    const other = { code: 'duplicate_parameter', message: 'Contact already exist' };
    for (const answer of shownByBrevo(400, other)) assert.deepEqual(await classify(answer), { outcome: 'refused' });
  });

  it('names what was accepted, of one email and of several', async () => {
    assert.deepEqual(await classify({ data: { id: 'a' }, error: null, headers: {} }), {
      outcome: 'accepted',
      ids: ['a'],
    });
    const batch = Response.json({ data: [{ id: 'a' }, { id: 'b' }] });
    assert.deepEqual(await classify(batch), { outcome: 'accepted', ids: ['a', 'b'] });
    assert.deepEqual(await batch.json(), { data: [{ id: 'a' }, { id: 'b' }] }, 'the body is still to be read');
    assert.deepEqual(await classify({ messageId: '<1@x>' }), { outcome: 'accepted', ids: ['<1@x>'] });
    assert.deepEqual(await classify({ messageIds: ['<1@x>', '<2@x>'] }), {
      outcome: 'accepted',
      ids: ['<1@x>', '<2@x>'],
    });
    assert.deepEqual(await classify(new Response('no JSON', { status: 202 })), { outcome: 'accepted' });
  });

  it('takes what nobody has answered for unknown, and what an SDK refuses by itself for refused', async () => {
    const unanswered = [
      { data: null, error: { name: 'application_error', statusCode: null, message: 'Unable to fetch data.' } },
      Object.assign(new TypeError('fetch failed'), { cause: { code: 'ECONNRESET' } }),
      new DOMException('This operation was aborted', 'AbortError'),
      Object.assign(new Error('timeout'), { name: 'BrevoTimeoutError', statusCode: undefined }),
      { data: null, error: { message: 'a page of a proxy' }, headers: {} },
      undefined,
      'a string',
    ];
    for (const one of unanswered) assert.deepEqual(await classify(one), { outcome: 'unknown' });
    for (const status of [100, 408, 409, 500, 502, 504, 520])
      assert.deepEqual(await classify(htmlOf(status)), { outcome: 'unknown' });
    const local = { name: 'missing_required_field', statusCode: null, message: 'Missing `to` field.' };
    assert.deepEqual(await classify({ data: null, error: local, headers: null }), { outcome: 'refused' });
  });

  it('says how long to wait: from Retry-After in seconds or as a date, and from the windows of both vendors', async () => {
    const waits = async (headers: Record<string, string>, status = 429) =>
      (await classify(new Response(null, { status, headers }))).retryAfterMs;
    assert.equal(await waits({ 'retry-after': '3' }), 3_000);
    assert.equal(await waits({ 'retry-after': '1' }, 503), 1_000);
    assert.equal(await waits({ 'ratelimit-reset': '2' }), 2_000);
    assert.equal(await waits({ 'x-sib-ratelimit-reset': '7' }), 7_000);
    assert.equal(await waits({ 'ratelimit-reset': '2' }, 503), undefined, 'a limit that is not the reason');
    assert.equal(await waits({ 'retry-after': 'soon' }), undefined);
    const inTen = await waits({ 'retry-after': new Date(Date.now() + 10_000).toUTCString() });
    assert(inTen !== undefined && inTen > 8_000 && inTen <= 10_000, String(inTen));
  });
});

/** As fetch shows it, and the SDKs of 6, 2, 3 and the one before them. */
function shownByBrevo(status: number, body: object): unknown[] {
  const headers = { 'content-type': 'application/json' };
  return [
    Response.json(body, { status }),
    Object.assign(new Error(), { statusCode: status, body, rawResponse: { headers: new Headers(headers) } }),
    Object.assign(new Error(), { statusCode: status, body, response: { statusCode: status, headers } }),
    Object.assign(new Error(), { response: { status, data: body, headers } }),
    Object.assign(new Error(), { response: { status, text: JSON.stringify(body), headers } }),
  ];
}

function htmlOf(status: number): unknown {
  return { status, headers: new Headers(), clone: () => ({ text: async () => '<h1>Words</h1>' }) };
}
