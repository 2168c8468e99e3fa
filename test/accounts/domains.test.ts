/** Which sender domains an account may use, and whose mail is signed. */

import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { after, before, describe, type TestContext, test } from 'node:test';
import type { Database } from '../../src/store/database.ts';
import { signIn } from '../page/visitor.ts';
import { type Bend, bendDatabase } from '../support/bent-database.ts';
import { drained, serve, subjects } from '../support/served.ts';
import { message, startTestServer, type TestServer, testKey } from '../support/server.ts';
import { createTemp } from '../support/temp.ts';
import { type Client, clientOf, heardAtOnce, makeKey, newAccount, operate } from './operator.ts';

const refusalOf = (domain: string) =>
  `The ${domain} domain is not verified. Please, add and verify your domain on https://resend.com/domains`;

describe('an account sends', () => {
  let server: TestServer;
  let first: Client;
  let acme: Client;

  before(async () => {
    server = await startTestServer(heardAtOnce);
    first = clientOf(server, testKey);
    acme = await newAccount(server, 'acme', 'acme.test', '*.acme.test');
  });
  after(() => server.stop());

  test('from the domains it was given, and is refused others in the words of each facade', async () => {
    assert.equal((await acme.send({ from: 'Ann <a@ACME.test>' })).status, 200);
    assert.equal((await acme.send({ from: 'a@deep.mail.acme.test' })).status, 200);
    assert.equal((await acme.sendBrevo('a@acme.test')).status, 201);
    for (const domain of ['victim.test', 'notacme.test', 'acme.test.evil', 'test']) {
      const { status, json } = await acme.send({ from: `ceo@${domain}` });
      assert.deepEqual([status, json.name, json.message], [403, 'validation_error', refusalOf(domain)]);
      assert.match(json.hint, new RegExp(`sendonce account allow acme ${domain}$`));
      const brevo = await acme.sendBrevo(`ceo@${domain}`);
      assert.deepEqual([brevo.status, brevo.json.code], [400, 'invalid_parameter']);
      assert.equal(
        brevo.json.message,
        `Sending has been rejected because the sender you used ceo@${domain} is not valid. Validate your sender or authenticate your domain`,
      );
    }
  });

  test('nothing under another name with a header of its own', async () => {
    const withSender = (sender: string) => acme.send({ from: 'a@acme.test', headers: { Sender: sender } });
    for (const sender of ['ceo@victim.test', 'The Boss <ceo@victim.test>', 'x@acme.test, ceo@victim.test']) {
      assert.equal((await withSender(sender)).status, 403, sender);
    }
    assert.equal((await withSender('Post <post@acme.test>')).status, 200);
    // These are ours to write: what an author gives is left out.
    const { json } = await acme.send({
      from: 'a@acme.test',
      headers: { From: 'ceo@victim.test', 'Return-Path': 'ceo@victim.test' },
    });
    const source = await (await signIn(server, acme.key)).get(`/emails/${json.id}/eml`);
    assert.match(source.text, /^From: a@acme\.test\r$/m);
    assert.doesNotMatch(source.text, /victim/);
  });

  test('subdomains only where they were given', async () => {
    const plain = await newAccount(server, 'plain', 'plain.test');
    assert.equal((await plain.send({ from: 'a@mail.plain.test' })).status, 403);
    const below = await newAccount(server, 'below', '*.below.test');
    assert.equal((await below.send({ from: 'a@below.test' })).status, 403);
    assert.equal((await below.send({ from: 'a@mail.below.test' })).status, 200);
  });

  test('a batch whole or not at all; a permissive one without those it may not send', async () => {
    const batch = [message({ from: 'a@acme.test' }), message({ from: 'a@victim.test' })];
    const strict = await acme.call('POST', '/emails/batch', batch);
    assert.deepEqual([strict.status, strict.json.message, strict.json.index], [403, refusalOf('victim.test'), 1]);
    const permissive = await acme.call('POST', '/emails/batch', batch, { 'x-batch-validation': 'permissive' });
    assert.equal(permissive.status, 200);
    assert.equal(permissive.json.data.length, 1);
    assert.deepEqual(permissive.json.errors, [{ index: 1, message: refusalOf('victim.test') }]);
  });

  test('and gets the answer it got before, for a domain it no longer has', async () => {
    await operate(server, 'allow acme gone.test');
    const key = { 'idempotency-key': 'welcome/1' };
    const { json } = await acme.send({ from: 'a@gone.test' }, key);
    await operate(server, 'disallow acme gone.test');
    const again = await acme.send({ from: 'a@gone.test' }, key);
    assert.deepEqual([again.status, again.json, again.headers.get('idempotent-replayed')], [200, json, 'true']);
    assert.equal((await acme.send({ from: 'a@gone.test' }, { 'idempotency-key': 'welcome/2' })).status, 403);
  });

  test('from no domain of another account, which the closest grant decides', async () => {
    await assert.rejects(operate(server, 'allow plain acme.test'), /Another account has acme\.test/);
    await operate(server, 'allow plain news.acme.test');
    const plain = clientOf(server, await makeKey(server, 'plain'));
    assert.equal((await plain.send({ from: 'a@news.acme.test' })).status, 200);
    assert.equal((await acme.send({ from: 'a@news.acme.test' })).status, 403);
    const any = await newAccount(server, 'any', '*');
    assert.equal((await any.send({ from: 'a@nobodys.test' })).status, 200);
    assert.equal((await any.send({ from: 'a@acme.test' })).status, 403);
  });

  test('from any, where it is the first one, unless REQUIRE_DOMAINS says otherwise', async (t) => {
    assert.equal((await first.send({ from: 'a@anybody.test' })).status, 200);
    const strict = await startTestServer({ ...heardAtOnce, environment: { REQUIRE_DOMAINS: 'true' } });
    t.after(() => strict.stop());
    const client = clientOf(strict, testKey);
    assert.equal((await client.send({ from: 'a@anybody.test' })).status, 403);
    await operate(strict, 'allow default anybody.test');
    assert.equal((await client.send({ from: 'a@anybody.test' })).status, 200);
  });

  test('from anywhere without the look at its domains: the control', async (t) => {
    const bends = [{ when: 'from account_domains', find: 'where domain in', replace: "where 'a@victim.test' not in" }];
    const bent = await startTestServer({ ...heardAtOnce, outside: { database: (own) => bendDatabase(own, bends) } });
    t.after(() => bent.stop());
    const any = await newAccount(bent, 'any', '*');
    assert.equal((await any.send({ from: 'a@victim.test' })).status, 200);
  });
});

async function serveSigning(t: TestContext, ...bends: Bend[]) {
  const temp = createTemp();
  t.after(() => temp.remove());
  const keyFile = temp.path('key.pem');
  writeFileSync(keyFile, generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }));
  const domains = ['ours.test', 'given.test', 'sub.given.test'];
  const environment = { DKIM_KEYS: domains.map((domain) => `${domain}:s:${keyFile}`).join() };
  const outside = { database: (own: Database) => bendDatabase(own, bends) };
  const { server, sink } = await serve(t, { ...heardAtOnce, environment, outside });
  const signed = async () => {
    await drained(server);
    const isSigned = sink.received.map(({ bytes }) => /^DKIM-Signature: .*d=/m.test(bytes.toString('latin1')));
    return subjects(sink)
      .filter((_, index) => isSigned[index])
      .sort();
  };
  return { server, signed };
}

test('only the mail of the account that owns a domain is signed as it', async (t) => {
  const { server, signed } = await serveSigning(t);
  const first = clientOf(server, testKey);
  const other = await newAccount(server, 'other', 'given.test', '*.given.test');
  const any = await newAccount(server, 'any', '*');
  const sends: [Client, string][] = [
    [first, 'ours.test'],
    [first, 'given.test'],
    [other, 'given.test'],
    [other, 'sub.given.test'],
    [any, 'ours.test'],
  ];
  for (const [index, [client, domain]] of sends.entries()) {
    assert.equal((await client.send({ from: `a@${domain}`, subject: `mail ${index}` })).status, 200, String(index));
  }
  assert.deepEqual(await signed(), ['mail 0', 'mail 2', 'mail 3']);
});

test('anybody’s mail would be signed if nobody looked whose the domain is: the control', async (t) => {
  const { server, signed } = await serveSigning(t, {
    when: 'select account, domain from account_domains where domain in',
    find: 'select account, domain',
    replace: "select 'any' as account, 'ours.test' as domain",
  });
  const any = await newAccount(server, 'any', '*');
  assert.equal((await any.send({ from: 'a@ours.test', subject: 'forged' })).status, 200);
  assert.deepEqual(await signed(), ['forged']);
});
