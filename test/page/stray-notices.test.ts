/** What came back and matched nothing, on the page: for whoever runs the server alone, and as text. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { keepStray } from '../../src/store/stray-notices.ts';
import { openDatabase } from '../support/engine.ts';
import { addApiKey, serve } from '../support/served.ts';
import { signIn } from './visitor.ts';

test('notices that matched nothing are listed and shown to the first account, and to no other', async (t) => {
  const { server } = await serve(t);
  const visitor = await signIn(server);
  assert.match((await visitor.get('/notices')).text, /Nothing came back that matched nothing/);
  const database = await openDatabase(server.databaseUrl);
  const about = {
    at: server.clock.now(),
    cameBy: 'listener',
    why: 'not_ours' as const,
    recipient: 'x@back.example.com',
  };
  const stray = { ...about, sender: '<i>ann</i>@example.org', subject: 'Out of office <b>' };
  await database.write((tx) => keepStray(tx, stray, Buffer.from('Subject: away\r\n\r\n<script>alert(1)</script>')));
  await database.close();
  const { text } = await visitor.get('/notices');
  assert.match(text, /Out of office &lt;b&gt;.*not about a mail of ours/s);
  const [, path = ''] = /href="\/dashboard(\/notices\/\d+)"/.exec(text) ?? [];
  assert.match((await visitor.get(path)).text, /Subject: away\s+&lt;script&gt;/);
  assert.equal((await visitor.get('/notices/999999')).status, 404);
  const stranger = await signIn(server, await addApiKey(server, 're_other_key', 'other'));
  for (const one of ['/notices', path]) assert.equal((await stranger.get(one)).status, 422);
  assert.doesNotMatch((await stranger.get('/suppressions')).text, /Unmatched/);
});
