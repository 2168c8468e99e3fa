/** Whom no mail goes to: learned from bounces, listed and let through again in Brevo's words. */

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { BrevoClient } from '@getbrevo/brevo';
import { addApiKey, drained, serve } from '../support/served.ts';
import { testKey } from '../support/server.ts';
import { asBrevo, mail, messageIdsOf, readMail, send } from './brevo.ts';

describe('blocked contacts', () => {
  test('are learned from a bounce, listed, no longer mailed, and let through again', async (t) => {
    const { server, sink } = await serve(t);
    const { transactionalEmails } = new BrevoClient({ apiKey: testKey, baseUrl: `${server.url}/v3` });
    sink.behave = () => ({ rcpt: (address) => (/gone/i.test(address) ? '550 5.1.1 no such user' : undefined) });
    const gone = mail({ to: [{ email: 'Gone@example.org' }, { email: 'ann@example.org' }] });
    await send(server, gone);
    await drained(server);
    const { count, contacts } = await transactionalEmails.getTransacBlockedContacts();
    assert.equal(count, 1);
    assert.deepEqual(
      contacts?.map(({ email, senderEmail, reason }) => [email, senderEmail, reason?.code]),
      [['gone@example.org', '', 'hardBounce']],
    );
    sink.behave = () => ({});
    const [second = ''] = messageIdsOf(await send(server, gone));
    await drained(server);
    assert.deepEqual((await readMail(sink, second)).recipients, ['ann@example.org']);
    const { events = [] } = await transactionalEmails.getEmailEventReport({ messageId: second, event: 'blocked' });
    assert.deepEqual(
      events.map(({ email }) => email),
      ['Gone@example.org'],
    );
    await transactionalEmails.unblockOrResubscribeATransactionalContact({ email: 'gone@example.org' });
    assert.equal((await transactionalEmails.getTransacBlockedContacts()).count, 0);
    const [third = ''] = messageIdsOf(await send(server, gone));
    await drained(server);
    assert.deepEqual((await readMail(sink, third)).recipients, ['Gone@example.org', 'ann@example.org']);
  });

  test('get nothing from any of the messageVersions, and the other recipients do', async (t) => {
    const { server, sink } = await serve(t);
    await server.call('POST', '/suppressions', { email: 'no@example.org' });
    const messageVersions = [['no@example.org'], ['No@example.org', 'ann@example.org'], ['bob@example.org']].map(
      (to) => ({
        to: to.map((email) => ({ email })),
      }),
    );
    const ids = messageIdsOf(await send(server, mail({ messageVersions })));
    assert.equal(ids.length, 3);
    await drained(server);
    assert.deepEqual(sink.received.map(({ to }) => to).sort(), [['ann@example.org'], ['bob@example.org']]);
  });

  test('page, know days, refuse a limit over 100, and belong to their account', async (t) => {
    const { server } = await serve(t);
    for (const email of ['a@example.org', 'b@example.org', 'c@example.org']) {
      assert.equal((await server.call('POST', '/suppressions', { email })).status, 201, email);
    }
    const get = (query: string, headers: Record<string, string> = {}) =>
      server.call('GET', `/v3/smtp/blockedContacts${query}`, undefined, asBrevo(headers));
    const { json } = await get('?limit=2&offset=1&sort=asc');
    assert.equal(json.count, 3);
    assert.deepEqual(
      json.contacts.map((one: { email: string; reason: { code: string } }) => [one.email, one.reason.code]),
      [
        ['b@example.org', 'adminBlocked'],
        ['c@example.org', 'adminBlocked'],
      ],
    );
    const today = new Date().toISOString().slice(0, 10);
    assert.equal((await get(`?startDate=${today}&endDate=${today}`)).json.count, 3);
    assert.equal((await get('?startDate=2020-01-01&endDate=2020-01-02')).json.count, 0);
    assert.equal((await get('?limit=101')).json.code, 'out_of_range');
    const theirs = { 'api-key': await addApiKey(server, 'xkeysib-other', 'other') };
    assert.deepEqual((await get('', theirs)).json, { count: 0, contacts: [] });
    const path = '/v3/smtp/blockedContacts/a@example.org';
    assert.equal((await server.call('DELETE', path, undefined, asBrevo(theirs))).status, 404);
    assert.equal((await server.call('DELETE', path, undefined, asBrevo())).status, 204);
    assert.equal((await server.call('DELETE', path, undefined, asBrevo())).status, 404);
  });

  test('that a bounce blocked are let through again together; nobody else is', async (t) => {
    const { server, sink } = await serve(t);
    const { transactionalEmails } = new BrevoClient({ apiKey: testKey, baseUrl: `${server.url}/v3` });
    sink.behave = () => ({ rcpt: (address) => (/gone/.test(address) ? '550 5.1.1 no such user' : undefined) });
    for (const email of ['gone-1@example.org', 'gone-2@example.org', 'gone-3@example.org']) {
      await send(server, mail({ to: [{ email }] }));
    }
    await drained(server);
    await server.call('POST', '/suppressions', { email: 'by-hand@example.org' });
    const blocked = async () => {
      const { contacts = [] } = await transactionalEmails.getTransacBlockedContacts();
      return contacts.map(({ email }) => email).sort();
    };
    const all = ['by-hand@example.org', 'gone-1@example.org', 'gone-2@example.org', 'gone-3@example.org'];
    assert.deepEqual(await blocked(), all);

    const theirs = { 'api-key': await addApiKey(server, 'xkeysib-other', 'other') };
    const post = (body: unknown, headers: Record<string, string> = {}) =>
      server.call('POST', '/v3/smtp/deleteHardbounces', body, asBrevo(headers));
    assert.equal((await post({}, theirs)).status, 204);
    await transactionalEmails.deleteHardbounces({ startDate: '2020-01-01', endDate: '2020-01-02' });
    await transactionalEmails.deleteHardbounces({ contactEmail: 'by-hand@example.org' });
    assert.deepEqual(await blocked(), all);

    await transactionalEmails.deleteHardbounces({ contactEmail: 'Gone-2@example.org' });
    assert.deepEqual(await blocked(), ['by-hand@example.org', 'gone-1@example.org', 'gone-3@example.org']);
    const reply = await post(undefined);
    assert.deepEqual([reply.status, reply.text], [204, '']);
    assert.deepEqual(await blocked(), ['by-hand@example.org']);

    const wrong = [{ contactEmail: 'nobody' }, { contactEmail: 5 }, { startDate: '2020-01-01' }, { endDate: 7 }, []];
    for (const body of wrong) assert.equal((await post(body)).status, 400, JSON.stringify(body));
  });
});
