/** Any language that knows SQL writes rows, which leave once. `npm run test:outbox -- --languages` has those that take long, too. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { allEmails, serve } from '../support/served.ts';
import { drainAll, openGround, statesOf } from './ground.ts';
import { quickLanguages } from './languages.ts';

test('rows that Python, Ruby and PHP write with plain SQL leave once, and none that they undo', async (t) => {
  const ground = await openGround(t);
  const { engine } = ground.database;
  await ground.database.script('create table orders (id text primary key);');
  const written: string[] = [];
  for (const language of quickLanguages) {
    const why = language.whyNot(engine);
    if (why) {
      t.diagnostic(`NOT CHECKED: ${language.name} on ${engine}: ${why}`);
      continue;
    }
    language.write(engine, ground.url, language.name);
    written.push(language.name);
  }
  if (written.length === 0) return t.skip('none of them is here');
  const { server } = await serve(t);
  await drainAll(ground, server.url);
  const emails = await allEmails(server);
  assert.deepEqual(emails.map(({ subject }) => subject).sort(), [...written].sort());
  assert.deepEqual(await statesOf(ground.database), Object.fromEntries(written.map((name) => [name, 'sent'])));
});
