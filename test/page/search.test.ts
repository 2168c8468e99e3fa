/** What the page says about when a mail can be found is true, on either engine. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { message, startTestServer } from '../support/server.ts';
import { signIn } from './visitor.ts';

const saidMs: Record<string, number> = { 'a second': 1_000, 'half a minute': 30_000 };

test('a mail is found as soon after it was accepted as the page says, and counted some time after', async (t) => {
  const server = await startTestServer();
  t.after(() => server.stop());
  const visitor = await signIn(server);
  const { text: nothing } = await visitor.get('/emails?q=wombat');
  const said = /can be searched for about (.*) later\./.exec(nothing)?.[1] ?? '';
  assert.ok(said in saidMs, nothing);
  await server.call('POST', '/emails', message({ subject: 'A rare wombat' }));
  server.clock.advance(saidMs[said] ?? 0);
  await server.tick();
  assert.ok((await visitor.get('/emails?q=wombat')).text.includes('A rare wombat'));
  await server.until('it is counted with what became of it', async () => {
    server.clock.advance(saidMs[said] ?? 0);
    return (await visitor.get('')).text.includes('All accounted for');
  });
});
