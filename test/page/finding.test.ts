/** Emails are found by filters in the address, exported as they are shown, and canceled together. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readFilters, searchOf } from '../../src/page/emails/filters.ts';
import { addApiKey } from '../support/served.ts';
import { message, startTestServer } from '../support/server.ts';
import { indexed, signIn } from './visitor.ts';

test('filters narrow the list, what is shown is exported, and what waits is canceled after a question', async (t) => {
  const server = await startTestServer();
  t.after(() => server.stop());
  const visitor = await signIn(server);
  const send = async (subject: string, more: Record<string, unknown> = {}) =>
    (await server.call('POST', '/emails', message({ subject, ...more }))).json.id as string;
  const from = 'Books <books@example.com>';
  await send('=Formula, "quoted"', { from, to: ['zoe@example.com'], tags: [{ name: 'kind', value: 'invoice' }] });
  await indexed(server);
  const day = (ms: number) => new Date(server.clock.now() + ms).toISOString().slice(0, 10);
  server.clock.advance(3 * 86_400_000);
  const waiting = [
    await send('Later one', { scheduled_at: 'in 2 hours' }),
    await send('Later two', { scheduled_at: 'in 2 hours' }),
  ];
  await indexed(server);
  const shown = async (query: string) =>
    [...(await visitor.get(`/emails?${query}`)).text.matchAll(/(Formula|Later one|Later two)/g)].map(
      ([, name]) => name,
    );
  const both = ['Later two', 'Later one'];
  for (const [query, expected] of [
    ['', [...both, 'Formula']],
    ['status=scheduled', both],
    ['to=zoe', ['Formula']],
    ['tag=kind%3Dinvoice', ['Formula']],
    ['sender=books@', ['Formula']],
    ['q=from%3Abooks@&status=captured', ['Formula']],
    ['relay=capture', ['Formula']],
    ['relay=elsewhere', []],
    [`from=${day(0)}`, both],
    [`until=${day(-86_400_000)}`, ['Formula']],
    [`q=later&until=${day(-86_400_000)}`, []],
    ['q=later&status=canceled', []],
    ['status=nonsense&from=nonsense', [...both, 'Formula']],
  ] as const) {
    assert.deepEqual([query, await shown(query)], [query, expected]);
  }

  const filters = (await visitor.get('/emails?sender=books@')).text;
  assert.match(filters, /<option value="scheduled">scheduled \(2\)/);
  assert.match(filters, /<option value="books@example\.com">books@example\.com \(1\)/);

  // Whoever runs the server sees that another account's emails are there, and neither whom they are for nor what they say.
  const stranger = await signIn(server, await addApiKey(server, 're_finding_stranger', 'another'));
  const theirs = { from: 'shop@another.example', to: 'alice@secret.example', subject: 'Unheard', text: 'x' };
  const { id: theirId } = (
    await server.call('POST', '/emails', theirs, { authorization: 'Bearer re_finding_stranger' })
  ).json;
  for (const query of ['account=another', 'account=another&to=alice', 'account=another&q=nobody']) {
    for (const path of ['/emails', '/emails.csv']) {
      const { text } = await visitor.get(`${path}?${query}`);
      assert.match(text, new RegExp(String(theirId)), `${path}?${query}`);
      assert.doesNotMatch(text, /secret\.example|another\.example|Unheard/);
    }
  }
  const foreign = await visitor.get('/emails?account=another');
  assert.match(foreign.text, /<option value="another" selected[\s\S]*Emails of the account <b>another<\/b>/);
  assert.doesNotMatch((await stranger.get('/emails?account=default')).text, /Formula|Later/);

  const csv = await visitor.get('/emails.csv?to=zoe');
  assert.equal(csv.headers.get('content-type'), 'text/csv; charset=utf-8');
  const [head, row, rest] = csv.text.split('\r\n');
  assert.match(head ?? '', /^id,accepted_at,status,from,to/);
  assert.match(row ?? '', /,captured,.*,zoe@example\.com,,,"'=Formula, ""quoted""",.*,kind=invoice$/);
  assert.equal(rest, '');

  const { text } = await visitor.get('/emails?status=scheduled');
  const [, ids = ''] = /name="ids" value="([^"]+)"/.exec(text) ?? [];
  assert.match((await visitor.post('/emails/cancel', { ids })).text, /Cancel 2 emails\?/);
  assert.equal((await server.call('GET', `/emails/${waiting[0]}`)).json.last_event, 'scheduled');
  const done = await visitor.post('/emails/cancel', { ids, confirmed: 'yes' });
  assert.equal(done.headers.get('location'), '/dashboard/emails?canceled=2-2');
  for (const id of waiting) assert.equal((await server.call('GET', `/emails/${id}`)).json.last_event, 'canceled');
});

test('filters are conditions that must all hold, and what cannot be a day or a status is none', () => {
  const search = searchOf(
    readFilters({ q: 'ann@', status: 'sent', tag: 'kind=a', from: '2026-13-40', until: '2026-02-03' }),
  );
  assert.deepEqual(search?.kind === 'terms' && search.conditions.map(({ terms }) => terms[0]), [
    'to:ann@',
    'is:sent',
    'tag:kind=a',
  ]);
  assert.equal(readFilters({ from: '2026-13-40' }).from, '');
  assert.equal(searchOf(readFilters({ q: '""' })), null);
});
