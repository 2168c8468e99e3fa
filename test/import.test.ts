/** `sendonce import`: what another service knows of an account is taken over; here the other service is another Sendonce. */

import assert from 'node:assert/strict';
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, it } from 'node:test';
import { importFrom } from '../src/command/import.ts';
import { readConfig } from '../src/config/config.ts';
import { printed } from './support/printed.ts';
import { serve } from './support/served.ts';
import { type TestServer, testKey, testSecretKey } from './support/server.ts';

describe('sendonce import', () => {
  it('takes suppressions, contacts and segments from Resend’s API, goes on where it was cut, and changes nothing a second time', async (t) => {
    const [{ server: there }, { server: here }] = [await serve(t), await serve(t)];
    await there.call('POST', '/suppressions', { email: 'gone@example.com' });
    const { id: segment } = (await there.call('POST', '/segments', { name: 'Readers' })).json;
    for (let n = 0; n < 120; n += 1) {
      const contact = { email: `reader-${n}@example.com`, first_name: `Reader ${n}`, unsubscribed: n === 7 };
      const more = n < 2 ? { segments: [{ id: segment }] } : {};
      assert.equal((await there.call('POST', '/contacts', { ...contact, ...more })).status, 201);
    }
    const variables = [{ key: 'NAME', type: 'string', fallback_value: 'you' }];
    const welcome = { name: 'Welcome', alias: 'welcome', subject: 's', html: '<p>{{{NAME}}}</p>', variables };
    const { id: template } = (await there.call('POST', '/templates', welcome)).json;
    await there.call('POST', `/templates/${template}/publish`);
    await there.call('POST', '/domains', { name: 'moved.example', region: 'eu-west-1' });
    const flaky = await startFlaky(t, there);
    const run = () => importFrom(configOf(here), ['resend'], { key: testKey, upstream: flaky.url });

    flaky.refuseFrom = 3;
    await assert.rejects(() => printed(run), /answers 403[\s\S]*run this again to go on/);
    flaky.refuseFrom = Number.POSITIVE_INFINITY;
    const asked = flaky.asked.length;
    const said = await printed(run);
    assert.match(said, /contacts: 20 taken\.\nsegments: 2 taken\.\n {2}Welcome: published\ntemplates: 1 taken\./);
    assert.match(
      said,
      /moved\.example: not verified yet[\s\S]*sendonce\._domainkey\.moved\.example {2}v=DKIM1; k=rsa; p=/,
    );
    const moved = (await here.call('GET', '/templates/welcome')).json;
    assert.deepEqual([moved.status, moved.variables[0].fallback_value, moved.html], ['published', 'you', welcome.html]);
    const domain = (await here.call('GET', '/domains')).json.data[0];
    assert.deepEqual([domain.name, domain.region, domain.status], ['moved.example', 'eu-west-1', 'not_started']);
    assert(
      !flaky.asked.slice(asked).some((path) => path.startsWith('/suppressions')),
      'what was taken is not asked again',
    );

    const contact = (address: string) => here.call('GET', `/contacts/${address}`);
    assert.equal((await contact('reader-7@example.com')).json.unsubscribed, true);
    assert.equal((await contact('reader-119@example.com')).json.first_name, 'Reader 119');
    assert.equal((await here.call('GET', '/suppressions/gone@example.com')).json.email, 'gone@example.com');
    const { id } = (await here.call('GET', '/segments')).json.data.find(
      (one: { name: string }) => one.name === 'Readers',
    );
    const members = async () => (await here.call('GET', `/segments/${id}/contacts`)).json.data.length;
    assert.equal(await members(), 2);

    await here.call('PATCH', '/contacts/reader-3@example.com', { unsubscribed: true });
    assert.match(await printed(run), /contacts: 120 taken[\s\S]*templates: 1 taken\.\ndomains: 1 taken/);
    assert.equal((await here.call('GET', '/templates')).json.data.length, 1, 'what is there already stays as it is');
    assert.equal(await members(), 2);
    assert.equal(
      (await contact('reader-3@example.com')).json.unsubscribed,
      true,
      'who has left here is not brought back',
    );
  });

  it('takes blocked contacts, blocked domains, contacts and lists from Brevo’s API, and says what it left', async (t) => {
    const [{ server: there }, { server: here }] = [await serve(t), await serve(t)];
    const brevo = { 'api-key': testKey };
    await there.call('POST', '/v3/smtp/blockedDomains', { domain: 'spam.example' }, brevo);
    const { id: list } = (await there.call('POST', '/v3/contacts/lists', { name: 'Shop', folderId: 1 }, brevo)).json;
    const attributes = { FIRSTNAME: 'Ann', LASTNAME: 'Lee' };
    const made = { email: 'ann@example.com', attributes, listIds: [list] };
    assert.equal((await there.call('POST', '/v3/contacts', made, brevo)).status, 201);
    await there.call('POST', '/suppressions', { email: 'gone@example.com' });

    const offer = {
      templateName: 'Offer',
      subject: 's',
      htmlContent: '<p>Hello {{ params.name }}</p>',
      isActive: true,
    };
    const sender = { name: 'Shop', email: 'shop@moved.example' };
    const { id: number } = (await there.call('POST', '/v3/smtp/templates', { ...offer, sender }, brevo)).json;
    await there.call('POST', '/v3/senders/domains', { name: 'moved.example' }, brevo);

    const flags = { key: testKey, upstream: `${there.url}/v3` };
    const said = await printed(() => importFrom(configOf(here), ['brevo'], flags));
    assert.match(said, /suppressions: 1 taken\.\nblocked domains: 1 taken\.\ncontacts: 1 taken\./);
    assert.match(said, /attributes: \d+ left out, /);
    assert.match(said, /Offer: number 2\ntemplates: 2 taken\.[\s\S]*sendonce-ed25519\._domainkey\.moved\.example/);
    const kept = (await here.call('GET', `/v3/smtp/templates/${number}`, undefined, brevo)).json;
    assert.deepEqual([kept.name, kept.sender.email, kept.isActive], ['Offer', 'shop@moved.example', true]);
    const ann = (await here.call('GET', '/v3/contacts/ann@example.com', undefined, brevo)).json;
    assert.deepEqual([ann.attributes.FIRSTNAME, ann.listIds.length], ['Ann', 1]);
    const blocked = await here.call('GET', '/v3/smtp/blockedDomains', undefined, brevo);
    assert.deepEqual(blocked.json.domains, ['spam.example']);
  });

  it('refuses a service that it does not know, a missing key, and an account that is not there', async (t) => {
    const { server } = await serve(t);
    const config = configOf(server);
    await assert.rejects(() => importFrom(config, ['mailgun'], { key: 'x' }), /Usage: sendonce import resend\|brevo/);
    await assert.rejects(() => importFrom(config, ['resend'], {}), /Usage: sendonce import/);
    await assert.rejects(() => importFrom(config, ['resend'], { key: 'x', account: 'nobody' }), /no account nobody/);
  });
});

function configOf({ databaseUrl, stateDir }: TestServer) {
  return readConfig({ DATABASE_URL: databaseUrl, STATE_DIR: stateDir, SECRET_KEY: testSecretKey });
}

type Flaky = { url: string; asked: string[]; refuseFrom: number };

/** Passes requests on, and refuses all from the Nth on, as a service does whose key was revoked meanwhile. */
async function startFlaky(t: { after(work: () => void): void }, { url }: { url: string }): Promise<Flaky> {
  const pass = (incoming: IncomingMessage, answer: ServerResponse) => {
    flaky.asked.push(incoming.url ?? '');
    if (flaky.asked.length >= flaky.refuseFrom) return void answer.writeHead(403).end('{"message":"revoked"}');
    const { host: _, ...headers } = incoming.headers;
    request(`${url}${incoming.url}`, { headers }, (reply) => {
      answer.writeHead(reply.statusCode ?? 502, reply.headers);
      reply.pipe(answer);
    }).end();
  };
  const server = createServer(pass);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close().closeAllConnections());
  const { port } = server.address() as AddressInfo;
  const flaky: Flaky = { url: `http://127.0.0.1:${port}`, asked: [], refuseFrom: Number.POSITIVE_INFINITY };
  return flaky;
}
