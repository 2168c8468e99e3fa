/** /v3/contacts, lists and folders by Brevo's SDK: the contacts that Resend's API has. */

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { BrevoClient } from '@getbrevo/brevo';
import { startTestServer, type TestServer, testKey } from '../support/server.ts';

let server: TestServer;
let brevo: BrevoClient;

before(async () => {
  server = await startTestServer();
  brevo = new BrevoClient({ apiKey: testKey, baseUrl: `${server.url}/v3` });
});
after(() => server.stop());

const refusal = async (promise: PromiseLike<unknown>) => {
  const error = await Promise.resolve(promise).then(
    () => assert.fail('it was not refused'),
    (thrown: { statusCode?: number; body?: { code?: string; message?: string } }) => thrown,
  );
  return [error.statusCode, error.body?.code, error.body?.message];
};

describe('/v3/contacts', () => {
  it('are made once, changed where that is asked for, and are those of the other API', async () => {
    const attributes = { FIRSTNAME: 'Elly', PLAN: 'gold', SEATS: 3 };
    const made = await brevo.contacts.createContact({ email: 'elly@example.test', attributes });
    assert.equal(typeof made?.id, 'number');
    const twice = brevo.contacts.createContact({ email: 'Elly@example.test' });
    assert.deepEqual(await refusal(twice), [400, 'duplicate_parameter', 'Contact already exist']);
    await brevo.contacts.createContact({
      email: 'elly@example.test',
      updateEnabled: true,
      attributes: { PLAN: 'tin' },
    });
    const found = await brevo.contacts.getContactInfo({ identifier: 'elly@example.test' });
    assert.deepEqual([found.id, found.attributes], [made?.id, { FIRSTNAME: 'Elly', PLAN: 'tin', SEATS: 3 }]);
    assert.deepEqual([found.emailBlacklisted, found.listIds], [false, []]);
    const { json } = await server.call('GET', '/contacts/elly@example.test');
    assert.deepEqual([json.first_name, json.properties.PLAN.value], ['Elly', 'tin']);
    await brevo.contacts.updateContact({
      identifier: made?.id ?? 0,
      emailBlacklisted: true,
      attributes: { EMAIL: 'e@example.test' },
    });
    const changed = await server.call('GET', '/contacts/e@example.test');
    assert.equal(changed.json.unsubscribed, true);
    await brevo.contacts.deleteContact({ identifier: 'e@example.test' });
    const missing = brevo.contacts.getContactInfo({ identifier: 'e@example.test' });
    assert.deepEqual(await refusal(missing), [404, 'document_not_found', 'Contact does not exist']);
  });

  it('lie in lists, which lie in folders, of which the first is there', async () => {
    const folders = await brevo.contacts.getFolders();
    assert.deepEqual([folders.count, folders.folders?.[0]?.id], [1, 1]);
    const list = await brevo.contacts.createList({ folderId: 1, name: 'Readers' });
    const made = await brevo.contacts.createContact({ email: 'in@list.test', listIds: [list.id] });
    await brevo.contacts.createContact({ email: 'out@list.test', emailBlacklisted: true });
    const body = { emails: ['out@list.test', 'in@list.test', 'nobody@list.test'] };
    const moved = await brevo.contacts.addContactToList({ listId: list.id, body });
    assert.deepEqual(moved.contacts.success, ['out@list.test']);
    assert.deepEqual(moved.contacts.failure, ['in@list.test', 'nobody@list.test']);
    const shown = await brevo.contacts.getList({ listId: list.id });
    assert.deepEqual(
      [shown.name, shown.folderId, shown.uniqueSubscribers, shown.totalSubscribers, shown.totalBlacklisted],
      ['Readers', 1, 2, 1, 1],
    );
    const inIt = await brevo.contacts.getContactsFromList({ listId: list.id, sort: 'asc' });
    assert.deepEqual([inIt.count, inIt.contacts[0]?.id, inIt.contacts[0]?.listIds], [2, made?.id, [list.id]]);
    await brevo.contacts.removeContactFromList({ listId: list.id, body: { ids: [made?.id ?? 0] } });
    assert.equal((await brevo.contacts.getContacts({ listIds: list.id })).count, 1);
    const { json } = await server.call('GET', '/segments');
    assert.deepEqual(
      json.data.map(({ name }: { name: string }) => name),
      ['Readers'],
    );
    const { id: folder } = await brevo.contacts.createFolder({ name: 'Second' });
    await brevo.contacts.updateList({ listId: list.id, name: 'Moved', folderId: folder });
    const inFolder = await brevo.contacts.getFolderLists({ folderId: folder });
    assert.deepEqual([inFolder.count, inFolder.lists?.[0]?.name], [1, 'Moved']);
    await brevo.contacts.deleteFolder({ folderId: folder });
    assert.deepEqual((await refusal(brevo.contacts.getList({ listId: list.id })))[0], 404);
    assert.deepEqual((await brevo.contacts.getLists()).count, 0);
    assert.equal((await brevo.contacts.getContacts()).count, 2, 'whoever was in it stays');
  });

  it('have attributes that can be made', async () => {
    await brevo.contacts.createAttribute({ attributeCategory: 'normal', attributeName: 'AGE', type: 'float' });
    const { attributes } = await brevo.contacts.getAttributes();
    assert.deepEqual(attributes.at(-1), { name: 'AGE', category: 'normal', type: 'float' });
  });

  it('are refused in the words of the API', async () => {
    for (const [method, path, body, status, code] of [
      ['POST', '/v3/contacts', {}, 400, 'missing_parameter'],
      ['POST', '/v3/contacts', { email: 'nobody' }, 400, 'invalid_parameter'],
      ['POST', '/v3/contacts', { email: 'a@b.test', listIds: [99] }, 404, 'document_not_found'],
      ['POST', '/v3/contacts/lists', { name: 'x' }, 400, 'missing_parameter'],
      ['POST', '/v3/contacts/lists', { name: 'x', folderId: 9 }, 400, 'invalid_parameter'],
      ['DELETE', '/v3/contacts/folders/1', undefined, 400, 'invalid_parameter'],
      ['GET', '/v3/contacts?limit=1001', undefined, 400, 'out_of_range'],
      ['POST', '/v3/contacts/import', {}, 404, 'document_not_found'],
    ] as const) {
      const refused = await server.call(method, path, body);
      assert.deepEqual([refused.status, refused.json.code], [status, code], `${method} ${path}`);
    }
  });
});
