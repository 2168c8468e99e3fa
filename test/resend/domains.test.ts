/** Domains from nothing to verified, against a DNS of the test's, and what is signed and sent from them. */

import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { BrevoClient } from '@getbrevo/brevo';
import { Resend } from 'resend';
import { clientOf, heardAtOnce, newAccount } from '../accounts/operator.ts';
import { type DnsServer, startDnsServer } from '../support/dns-server.ts';
import { startTestServer, type TestServer, testKey } from '../support/server.ts';
import { type Sink, startSink } from '../support/smtp-sink.ts';
import { createTemp } from '../support/temp.ts';

const temp = createTemp();

let server: TestServer;
let sink: Sink;
let dns: DnsServer;

/** What DNS holds from now on; 'silent': nobody can say. */
const zone = {
  set: (name: string, texts: string[] | 'silent') =>
    dns.zone.set(name, texts === 'silent' ? { servfail: true } : { txt: texts }),
  delete: (name: string) => dns.zone.delete(name),
};

before(async () => {
  sink = await startSink();
  dns = await startDnsServer();
  const relay = { RELAY_URL: `smtp://127.0.0.1:${sink.port}`, DNS_SERVERS: dns.at };
  const keys = { DKIM_KEYS: `operator.test:s1:${keyFile(temp.path('key.pem'))}` };
  server = await startTestServer({ ...heardAtOnce, environment: { ...relay, ...keys, REQUIRE_DOMAINS: 'true' } });
});
after(async () => {
  await server.stop();
  await sink.close();
  await dns.close();
  temp.remove();
});

function keyFile(path: string): string {
  const { privateKey } = generateKeyPairSync('ed25519');
  writeFileSync(path, privateKey.export({ type: 'pkcs8', format: 'pem' }));
  return path;
}

const day = 24 * 60 * 60_000;

async function make(name: string, client = clientOf(server, testKey)) {
  const { json, status } = await client.call('POST', '/domains', { name });
  assert.equal(status, 201, JSON.stringify(json));
  return json;
}

async function statusOf(id: string): Promise<string> {
  return (await server.call('GET', `/domains/${id}`)).json.status;
}

function publish(domain: { records: { name: string; value: string }[] }): void {
  for (const { name, value } of domain.records) zone.set(name, [value]);
}

async function verified(name: string, client = clientOf(server, testKey)) {
  const domain = await make(name, client);
  publish(domain);
  await client.call('POST', `/domains/${domain.id}/verify`);
  await server.tick();
  return domain;
}

describe('/domains', () => {
  it("takes a domain from nothing to verified by Resend's SDK, and signs what is sent from it", async () => {
    const resend = new Resend(testKey, { baseUrl: server.url });
    const refused = await resend.emails.send({ from: 'a@shop.test', to: 'b@to.test', subject: 's', text: 't' });
    assert.equal(refused.error?.statusCode, 403, 'what is not verified may not be sent from');
    const { data: made } = await resend.domains.create({ name: 'shop.test' });
    assert(made);
    assert.equal(made.status, 'not_started');
    const dkim = made.records.find(({ record }) => record === 'DKIM');
    assert.equal(dkim?.name, 'sendonce._domainkey.shop.test');
    assert.match(dkim?.value ?? '', /^v=DKIM1; k=rsa; p=MII[A-Za-z0-9+/=]{300,}$/);
    await resend.domains.verify(made.id);
    assert.equal(await statusOf(made.id), 'pending');
    await server.tick();
    assert.equal(await statusOf(made.id), 'pending', 'nobody has put it into DNS');
    zone.set(dkim?.name ?? '', [dkim?.value ?? '']);
    server.clock.advance(61_000);
    await server.tick();
    const statuses = async () => (await resend.domains.get(made.id)).data?.records.map(({ status }) => status);
    assert.equal(await statusOf(made.id), 'verified');
    assert.deepEqual(await statuses(), ['verified', 'pending'], 'each record is seen by itself');
    const signatures = async () => {
      const before = sink.count;
      const sent = await resend.emails.send({ from: 'a@shop.test', to: 'b@to.test', subject: 's', text: 't' });
      assert.equal(sent.error, null);
      await server.until('it has left', () => sink.count > before);
      const mail = String(sink.received.at(-1)?.bytes).replace(/\r\n[ \t]+/g, ' ');
      return [...mail.matchAll(/^DKIM-Signature: v=1; a=(\S+);.* d=shop\.test; s=(\S+);/gm)].map(([, a, s]) => [a, s]);
    };
    assert.deepEqual(await signatures(), [['rsa-sha256', 'sendonce']], 'nobody could check the other one yet');
    publish(made as never);
    await resend.domains.verify(made.id);
    await server.tick();
    assert.deepEqual(await statuses(), ['verified', 'verified']);
    const both = [
      ['rsa-sha256', 'sendonce'],
      ['ed25519-sha256', 'sendonce-ed25519'],
    ];
    await server.until('each process has heard of it', async () => (await signatures()).length === 2);
    assert.deepEqual(await signatures(), both);
  });

  it('lists what signs by DKIM_KEYS as verified, for the first account, which may send from it and changes it nowhere', async () => {
    const mine = (await server.call('GET', '/domains')).json.data.find(
      ({ name }: { name: string }) => name === 'operator.test',
    );
    assert.equal(mine.status, 'verified');
    const { json } = await server.call('GET', `/domains/${mine.id}`);
    assert.deepEqual([json.records[0].name, json.records[0].status], ['s1._domainkey.operator.test', 'verified']);
    assert.match(json.records[0].value, /^v=DKIM1; k=ed25519; p=[A-Za-z0-9+/]{43}=$/);
    const brevo = (await server.call('GET', '/v3/senders/domains')).json.domains;
    assert(brevo.some((one: Record<string, unknown>) => one.domain_name === 'operator.test' && one.verified === true));
    const mail = { from: 'a@operator.test', to: 'b@to.test', subject: 's', text: 't' };
    assert.equal((await server.call('POST', '/emails', mail)).status, 200);
    assert.equal((await server.call('POST', `/domains/${mine.id}/verify`)).status, 200);
    assert.equal((await server.call('DELETE', `/domains/${mine.id}`)).status, 422);
    assert.equal((await server.call('POST', '/domains', { name: 'operator.test' })).status, 403);
    const other = await newAccount(server, 'elsewhere');
    assert.deepEqual((await other.call('GET', '/domains')).json.data, []);
    assert.equal((await other.call('GET', `/domains/${mine.id}`)).status, 404);
  });

  it('looks again by itself: an hour apart at last, and after three days no more', async () => {
    const { id } = await make('never.test');
    await server.call('POST', `/domains/${id}/verify`);
    await server.tick();
    for (let hours = 0; hours < 71; hours++) {
      server.clock.advance(60 * 60_000);
      await server.tick();
    }
    assert.equal(await statusOf(id), 'pending');
    server.clock.advance(2 * 60 * 60_000);
    await server.tick();
    const { json } = await server.call('GET', `/domains/${id}`);
    assert.equal(json.status, 'failed');
    assert.equal(json.records[0].status, 'failed');
  });

  it('looks at what is verified every day: what is gone is pending, and DNS that is silent takes nothing away', async () => {
    const domain = await verified('daily.test');
    assert.equal(await statusOf(domain.id), 'verified');
    zone.set(domain.records[0].name, 'silent');
    server.clock.advance(day + 1_000);
    await server.tick();
    const { json: silent } = await server.call('GET', `/domains/${domain.id}`);
    assert.equal(silent.status, 'verified');
    assert.equal(silent.records[0].status, 'temporary_failure');
    zone.set(domain.records[0].name, [domain.records[1].value]);
    server.clock.advance(61_000);
    await server.tick();
    assert.equal(await statusOf(domain.id), 'pending');
    server.clock.advance(3 * day);
    await server.tick();
    assert.equal(await statusOf(domain.id), 'failed', 'another record does not come right by itself');
    await server.call('POST', `/domains/${domain.id}/verify`);
    await server.tick();
    assert.equal(await statusOf(domain.id), 'pending');
    publish(domain);
    server.clock.advance(61_000);
    await server.tick();
    assert.equal(await statusOf(domain.id), 'verified');
  });

  it('is not taken in by another key, nor by pieces of the right one', async () => {
    const domain = await make('wrong.test');
    const [{ name, value }] = domain.records;
    for (const text of [value.replace('p=MII', 'p=MIJ'), value.slice(0, -8), 'v=DKIM1; p=', `x ${value}`]) {
      zone.set(name, [text]);
      await server.call('POST', `/domains/${domain.id}/verify`);
      await server.tick();
      assert.equal(await statusOf(domain.id), 'pending', text);
    }
    zone.set(name, ['v=spf1 -all', value.replaceAll('; ', ' ; ')]);
    await server.call('POST', `/domains/${domain.id}/verify`);
    await server.tick();
    assert.equal(await statusOf(domain.id), 'verified');
  });

  it('belongs to whoever has shown that it is theirs, and to nobody before', async () => {
    const stranger = await newAccount(server, 'stranger');
    const theirs = await make('both.test', stranger);
    const ours = await verified('both.test');
    assert.equal(await statusOf(ours.id), 'verified');
    publish(theirs);
    await stranger.call('POST', `/domains/${theirs.id}/verify`);
    await server.tick();
    assert.notEqual((await stranger.call('GET', `/domains/${theirs.id}`)).json.status, 'verified');
    const third = await newAccount(server, 'third');
    const { status, json } = await third.call('POST', '/domains', { name: 'both.test' });
    assert.equal(status, 403);
    assert.equal(json.message, 'The `both.test` domain has been registered already.');
    assert.equal((await stranger.call('GET', `/domains/${ours.id}`)).status, 404);
    assert.equal((await stranger.call('DELETE', `/domains/${ours.id}`)).status, 404);
    assert.equal((await stranger.call('POST', `/domains/${ours.id}/verify`)).status, 404);
  });

  it('binds a key that may only send to one domain, at each door', async () => {
    const domain = await verified('bound.test');
    await verified('other.test');
    const body = { name: 'bound', permission: 'sending_access', domain_id: domain.id };
    const { json: made } = await server.call('POST', '/api-keys', body);
    const bound = clientOf(server, made.token);
    const own = { from: 'A <a@bound.test>' };
    const foreign = { from: 'A <a@other.test>' };
    const mail = { to: ['b@to.test'], subject: 's', text: 't' };
    assert.equal((await bound.send(own)).status, 200);
    assert.equal((await bound.send(foreign)).status, 403);
    assert.equal((await bound.sendBrevo('a@bound.test')).status, 201);
    assert.equal((await bound.sendBrevo('a@other.test')).status, 400);
    const batch = [
      { ...mail, ...own },
      { ...mail, ...foreign },
    ];
    assert.equal((await bound.call('POST', '/emails/batch', batch)).status, 403);
    const { json } = await bound.call('POST', '/emails/batch', batch, { 'x-batch-validation': 'permissive' });
    assert.deepEqual([json.data.length, json.errors.map(({ index }: { index: number }) => index)], [1, [1]]);
    const full = await server.call('POST', '/api-keys', { name: 'x', domain_id: domain.id });
    assert.match(full.json.message, /`sending_access` only/);
  });

  it('is listed, renamed in nothing, deleted, and refused where it promises what is not done', async () => {
    const { id } = await make('kept.test');
    const { json: listed } = await server.call('GET', '/domains?limit=1');
    assert.equal(listed.data[0].id, id);
    assert.deepEqual((await server.call('PATCH', `/domains/${id}`, { open_tracking: false })).json, {
      object: 'domain',
      id,
    });
    for (const change of [{ open_tracking: true }, { click_tracking: true }, { tls: 'enforced' }])
      assert.equal((await server.call('PATCH', `/domains/${id}`, change)).status, 422);
    for (const name of ['nothing', 'a b.test', '-a.test', 5])
      assert.equal((await server.call('POST', '/domains', { name })).status, 422);
    assert.deepEqual((await server.call('DELETE', `/domains/${id}`)).json, { object: 'domain', id, deleted: true });
    assert.deepEqual((await server.call('GET', `/domains/${id}`)).json, {
      statusCode: 404,
      name: 'not_found',
      message: 'Domain not found',
    });
  });

  it("is the same in Brevo's shape, by its SDK", async () => {
    const brevo = new BrevoClient({ apiKey: testKey, baseUrl: `${server.url}/v3`, maxRetries: 0 });
    const made = await brevo.domains.createDomain({ name: 'brevo.test' });
    const record = made.dns_records?.dkim_record;
    assert.equal(record?.status, false);
    zone.set(record?.host_name ?? '', [record?.value ?? '']);
    await brevo.domains.authenticateDomain({ domainName: 'brevo.test' });
    await server.tick();
    const shown = await brevo.domains.getDomainConfiguration({ domainName: 'brevo.test' });
    assert.deepEqual([shown.verified, shown.authenticated, shown.dns_records?.dkim_record?.status], [true, true, true]);
    const { domains } = await brevo.domains.getDomains();
    assert(domains.some(({ domain_name, verified: is }) => domain_name === 'brevo.test' && is));
    assert.equal(
      (await server.call('POST', '/v3/senders/domains', { name: 'brevo.test' })).json.code,
      'duplicate_parameter',
    );
    await brevo.domains.deleteDomain({ domainName: 'brevo.test' });
    assert.equal((await server.call('GET', '/v3/senders/domains/brevo.test')).status, 404);
  });
});
