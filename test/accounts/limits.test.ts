/** What an account may use: requests a second, emails a day, bytes stored. */

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { bendDatabase } from '../support/bent-database.ts';
import { openDatabase } from '../support/engine.ts';
import { message, startTestServer, type TestServer, testKey } from '../support/server.ts';
import { clientOf, heardAtOnce, newAccount, operate } from './operator.ts';

describe('an account with limits', () => {
  let server: TestServer;

  before(async () => {
    server = await startTestServer({ ...heardAtOnce, environment: { RETENTION_DAYS: '1' } });
  });
  after(() => server.stop());

  test('makes so many requests a second, whatever the others may', async () => {
    const slow = await newAccount(server, 'slow', '*');
    await operate(server, 'limit slow', { 'requests-per-second': '3' });
    const replies = await Promise.all(Array.from({ length: 8 }, () => slow.call('GET', '/emails')));
    const refused = replies.filter(({ status }) => status === 429);
    // A second may end between them.
    assert.ok(refused.length >= 2, `${refused.length} refused`);
    assert.equal(refused[0]?.json.name, 'rate_limit_exceeded');
    assert.equal(refused[0]?.headers.get('ratelimit-limit'), '3');
    const free = await Promise.all(Array.from({ length: 8 }, () => server.call('GET', '/emails')));
    assert.deepEqual([...new Set(free.map(({ status }) => status))], [200]);
  });

  test('sends so many emails a day, to the last one, when many are sent at once', async () => {
    const daily = await newAccount(server, 'daily', '*');
    assert.equal((await daily.send()).status, 200);
    const said = await operate(server, 'limit daily', { 'emails-per-day': '10' });
    assert.match(said, /10 emails a day \(UTC\)/);
    const batch = Array.from({ length: 4 }, () => message());
    const replies = await Promise.all([
      ...Array.from({ length: 20 }, (_, index) => daily.send({}, { 'idempotency-key': `at once/${index}` })),
      ...Array.from({ length: 5 }, () => daily.call('POST', '/emails/batch', batch)),
    ]);
    const accepted = replies.flatMap(({ json, status }) => (status === 200 ? (json.data ?? [json]) : []));
    assert.ok(accepted.length <= 9);
    for (let rest = accepted.length; rest < 9; rest += 1) assert.equal((await daily.send()).status, 200);
    const full = await daily.send();
    assert.deepEqual([full.status, full.json.name], [429, 'daily_quota_exceeded']);
    assert.match(
      full.json.message,
      /^You have exceeded your daily email sending quota\. It is 10 emails a day .* 0 are left/,
    );
    assert.match(full.headers.get('retry-after') ?? '', /^\d+$/);
    const brevo = await daily.sendBrevo('a@resend.dev');
    assert.deepEqual([brevo.status, brevo.json.code], [402, 'not_enough_credits']);
    const { json } = await daily.call('GET', '/emails?limit=100');
    assert.equal(json.data.length, 10, 'the one from before there was a limit counts, too');
    // What was accepted is answered as it was.
    const index = replies.findIndex(({ status }, at) => at < 20 && status === 200);
    const again = await daily.send({}, { 'idempotency-key': `at once/${index}` });
    assert.deepEqual([again.status, again.json], [200, replies[index]?.json]);
    server.clock.advance(24 * 60 * 60_000);
    assert.equal((await daily.send()).status, 200, 'the next day is another');
    await operate(server, 'limit daily', { 'emails-per-day': 'none' });
    const many = await Promise.all(Array.from({ length: 12 }, () => daily.send()));
    assert.deepEqual([...new Set(many.map(({ status }) => status))], [200]);
  });

  test('keeps so many bytes, which it gets back when contents are purged', async () => {
    const stored = await newAccount(server, 'stored', '*');
    const html = 'x'.repeat(1_000);
    const attachments = [{ filename: 'a.bin', content: Buffer.alloc(1_000).toString('base64') }];
    assert.equal((await stored.send({ html, text: '' })).status, 200);
    await operate(server, 'limit stored', { 'stored-bytes': '5000' });
    assert.equal((await stored.send({ html, text: '', attachments })).status, 200);
    assert.match(await operate(server, 'list'), /^stored +active +1 +- +- +3000 of 5000 +\*$/m);
    const full = await stored.send({ html: 'x'.repeat(2_001), text: '' });
    assert.deepEqual([full.status, full.json.name], [403, 'validation_error']);
    assert.match(full.json.message, /may keep 5000 bytes .* has 3000, and this request would add 2001/);
    assert.equal((await stored.sendBrevo('a@resend.dev')).status, 201);
    server.clock.advance(2 * 24 * 60 * 60_000);
    await server.until('its contents are purged', async () =>
      /stored .* 0 of 5000/.test(await operate(server, 'list')),
    );
    assert.equal((await stored.send({ html: 'x'.repeat(2_001), text: '' })).status, 200);
  });

  test('is told from one without: that writes no count', async () => {
    const database = await openDatabase(server.databaseUrl);
    const counted = await database.all<{ account: string }>('select account from account_counts order by account');
    await database.close();
    assert.deepEqual(
      counted.map(({ account }) => account),
      ['stored'],
    );
  });

  test('would send more than its day has if nobody counted: the control', async (t) => {
    const bends = [{ when: 'update account_counts set emails = case', find: '+ ?', replace: '+ 0 * ?' }];
    const bent = await startTestServer({ ...heardAtOnce, outside: { database: (own) => bendDatabase(own, bends) } });
    t.after(() => bent.stop());
    const free = await newAccount(bent, 'free', '*');
    await operate(bent, 'limit free', { 'emails-per-day': '5' });
    const sent = await Promise.all(Array.from({ length: 8 }, () => free.send()));
    assert.equal(sent.filter(({ status }) => status === 200).length, 8);
  });
});

test('limits that are none are refused, and say what they take', async (t) => {
  const server = await startTestServer();
  t.after(() => server.stop());
  for (const text of ['0', '-1', '1.5', 'many', '']) {
    await assert.rejects(
      operate(server, 'limit default', { 'emails-per-day': text }),
      /--emails-per-day must be a whole/,
    );
  }
  await assert.rejects(operate(server, 'limit default'), /Usage/);
  await assert.rejects(operate(server, 'limit nobody', { 'emails-per-day': '1' }), /There is no account nobody/);
  assert.equal((await clientOf(server, testKey).send()).status, 200);
});
