/** The limits of an account where several processes serve it. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { clientOf, heardAtOnce, newAccount, operate } from '../accounts/operator.ts';
import { discardDatabase, newMigratedUrl, useEngine } from '../support/engine.ts';
import { startTestServer } from '../support/server.ts';
import { createTemp } from '../support/temp.ts';

test('two processes let in no more emails a day than there are, in batches and alone, keyed or not', async (t) => {
  useEngine('postgres');
  const temp = createTemp();
  const url = await newMigratedUrl(temp);
  const start = () => startTestServer({ ...heardAtOnce, environment: { DATABASE_URL: url } });
  const first = await start();
  const second = await start();
  t.after(async () => {
    await Promise.all([first.stop(), second.stop()]);
    await discardDatabase(url);
    temp.remove();
  });
  const one = await newAccount(first, 'daily', '*');
  await operate(first, 'limit daily', { 'emails-per-day': '20' });
  const two = clientOf(second, one.key);
  const batch = Array.from({ length: 3 }, () => ({ from: 'a@b.test', to: ['x@y.test'], subject: 's', text: 't' }));
  const replies = await Promise.all(
    Array.from({ length: 30 }, (_, index) => {
      const client = index % 2 === 0 ? one : two;
      // Each key is used at both.
      const key = { 'idempotency-key': `both/${Math.floor(index / 2)}` };
      return index % 6 < 2 ? client.call('POST', '/emails/batch', batch, key) : client.send({}, key);
    }),
  );
  const known = new Set(replies.filter(({ status }) => status === 429).map(({ json }) => json.name));
  assert.deepEqual([...known], ['daily_quota_exceeded']);
  while ((await one.send()).status === 200);
  const { json } = await two.call('GET', '/emails?limit=100');
  assert.equal(json.data.length, 20);
  for (const [index, { status, json: answer }] of replies.entries()) {
    const same = replies[index - (index % 2)];
    if (status === 200 && same?.status === 200) assert.deepEqual(answer, same.json, 'a key is accepted once');
  }
});
