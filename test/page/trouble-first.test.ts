/** The overview says what is wrong before all else, the worst first, and says nothing there where nothing is wrong. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { noteTrouble } from '../../src/store/alerts.ts';
import { pauseAccount } from '../../src/store/pauses.ts';
import { openDatabase } from '../support/engine.ts';
import { addApiKey, serve } from '../support/served.ts';
import { message } from '../support/server.ts';
import { modes } from '../support/smtp-sink-modes.ts';
import { signIn, type Visitor } from './visitor.ts';

/** What stands between the page's title and its first figure, as a reader meets it: its colour and its heading. */
async function firstOf(visitor: Visitor): Promise<string[]> {
  const { text } = await visitor.get('');
  const [, before = ''] = /<h1>Overview<\/h1>([\s\S]*?)aria-label="Recipients"/.exec(text) ?? [];
  return [...before.matchAll(/class="notice (?:stack )?tone-(\w+)"[^>]*><b>(.*?)<\/b>/g)].map(
    ([, tone = '', title = '']) => `${tone}: ${title.replaceAll(/<[^>]*>/g, '')}`,
  );
}

test('the overview begins with what is wrong, the worst first', async (t) => {
  const { server, sink } = await serve(t);
  const other = await signIn(server, await addApiKey(server, 're_other_first', 'another'));
  const visitor = await signIn(server);
  const lastEvent = async (id: string) => (await server.call('GET', `/emails/${id}`)).json.last_event;
  const send = async () => (await server.call('POST', '/emails', message())).json.id as string;

  const fine = await send();
  await server.until('it is sent', async () => (await lastEvent(fine)) === 'sent');
  assert.deepEqual(await firstOf(visitor), [], 'the control: nothing is wrong');

  sink.behave = () => modes.acceptThenDrop;
  await send();
  await server.until('it is in doubt', async () => (await server.call('GET', '/in-doubt')).json.data.length === 1);
  assert.deepEqual(await firstOf(visitor), ['warning: 1 recipient in doubt']);

  const database = await openDatabase(server.databaseUrl);
  t.after(() => database.close());
  const now = server.clock.now();
  await database.write((tx) => noteTrouble(tx, { name: 'disk_fills', figure: 90 }, now));
  const disk =
    'bad: The disk of the database has 90 MB left. When it is full nothing is accepted any more; nothing is lost.';
  assert.deepEqual(await firstOf(visitor), [disk, 'warning: 1 recipient in doubt']);

  sink.behave = () => modes.dropAtMail;
  const waiting = await send();
  await server.until('it cannot be handed over', async () => (await lastEvent(waiting)) === 'delivery_delayed');
  const [relay, ...rest] = await firstOf(visitor);
  assert.match(relay ?? '', /^bad: .*relay/i);
  assert.deepEqual(rest, [disk, 'warning: 1 recipient in doubt']);

  // What ails the machine is not another account's to see; that nothing of its own leaves is.
  assert.deepEqual(await firstOf(other), []);
  await database.write((tx) => pauseAccount(tx, 'another', now));
  assert.deepEqual(await firstOf(other), ['bad: Nothing of this account is sent']);
});
