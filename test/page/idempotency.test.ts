/** What keys did is listed on the page, without knowing a key: retries, conflicts with what differed, and sends without one. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { addApiKey, drained } from '../support/served.ts';
import { message, startTestServer } from '../support/server.ts';
import { signIn } from './visitor.ts';

test('a conflict is traced from the list to the field that differed and the email that was sent', async (t) => {
  const server = await startTestServer();
  t.after(() => server.stop());
  const visitor = await signIn(server);
  assert.doesNotMatch(
    (await visitor.get('/idempotency')).text,
    /Latest keys|Conflicting|Retries replayed|Requests without/,
  );
  const client = { 'user-agent': 'shop-worker/1.2' };
  const send = (subject: string, key?: string) =>
    server.call('POST', '/emails', message({ subject }), { ...client, ...(key ? { 'idempotency-key': key } : {}) });
  const { id } = (await send('Paid', 'order/1')).json;
  await send('Paid', 'order/1');
  assert.equal((await send('Paid twice', 'order/1')).status, 409);
  await send('Never retried', 'order/2');
  await send('No key');
  await drained(server);

  const { text } = await visitor.get('/idempotency');
  const [, conflicts = '', rest = ''] =
    /Conflicting requests rejected([\s\S]*)Retries replayed([\s\S]*)/.exec(text) ?? [];
  assert.match(conflicts, /tone-bad">1 conflict<[\s\S]*Paid · subject differed · shop-worker\/1\.2/);
  assert.match(rest, /1 replay<[\s\S]*Requests without a key[\s\S]*shop-worker[\s\S]*1 of 5 requests/);
  assert.match(rest, /Latest keys[\s\S]*Never retried/);
  assert.doesNotMatch(text, /order\/1/, 'keys are not kept');

  const [, path = ''] = /href="\/dashboard(\/idempotency\?hash=[0-9a-f]+)"/.exec(conflicts) ?? [];
  const life = (await visitor.get(path)).text;
  assert.match(life, /1<\/b> ?retry replayed[\s\S]*1 conflicting request rejected[\s\S]*Different: subject/);
  assert.ok(life.includes(`/dashboard/emails/${id}`));
  assert.ok((await visitor.get(`/emails/${id}`)).text.includes(`/dashboard${path}`), 'and the way back');
  assert.match((await visitor.get('')).text, /1 retry replayed[\s\S]*1 conflicting request rejected/);

  const stranger = await signIn(server, await addApiKey(server, 're_other_keys', 'another'));
  for (const one of ['/idempotency', path]) assert.doesNotMatch((await stranger.get(one)).text, /Paid|shop-worker/);
  assert.match((await visitor.get('/idempotency?hash=00')).text, /No request accepted with this key/);
});
