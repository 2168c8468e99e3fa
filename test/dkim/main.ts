/**
 * `npm run test:dkim`: a domain is made through the API, its records are put into a DNS server and seen there, mails of many kinds leave, and
 * dkimpy (of PyPI, put into a folder that is thrown away) checks both signatures of each: good as they left, and broken where one byte is
 * another. Without Python, or where dkimpy cannot be had, it says so and proves nothing.
 */

import assert from 'node:assert/strict';
import { startDnsServer } from '../support/dns-server.ts';
import { startTestServer, testKey } from '../support/server.ts';
import { type Sink, startSink } from '../support/smtp-sink.ts';
import { createTemp, type Temp } from '../support/temp.ts';
import { findPython, type Signature, verify } from './dkimpy.ts';

const html = `<p>${'Grüße aus Köln, und eine Zeile, die sehr lang ist. '.repeat(40)}</p>`;

/** What leaves: each kind of body and header that is written another way. */
const mails: Record<string, unknown>[] = [
  { text: 'plain' },
  { text: '.\r\n..two\r\n  spaces  \t at the end \r\n\r\n\r\n' },
  { subject: 'Grüße 🎉 '.repeat(30), html },
  { html, text: 'both', cc: 'Ben Bold <ben@to.test>', reply_to: 'help@shop.test' },
  { text: 'a file', attachments: [{ filename: 'a b.bin', content: Buffer.alloc(5_000, 7).toString('base64') }] },
  { text: 'x'.repeat(5_000), headers: { 'List-Unsubscribe': '<https://shop.test/u>', 'X-Entity-Ref-ID': '1' } },
];

async function main(): Promise<void> {
  const temp = createTemp();
  const python = findPython(temp);
  if (python === null) return;
  const dns = await startDnsServer();
  const sink = await startSink();
  const environment = { RELAY_URL: `smtp://127.0.0.1:${sink.port}`, DNS_SERVERS: dns.at, REQUIRE_DOMAINS: 'true' };
  const server = await startTestServer({ environment });
  try {
    const { json: domain } = await server.call('POST', '/domains', { name: 'shop.test' });
    const zone: Record<string, string> = {};
    for (const { name, value } of domain.records) zone[name] = value;
    for (const [name, value] of Object.entries(zone)) dns.zone.set(name, { txt: [value] });
    await server.call('POST', `/domains/${domain.id}/verify`);
    await server.tick();
    assert.equal((await server.call('GET', `/domains/${domain.id}`)).json.status, 'verified');
    const names = mails.map((_, index) => `mail ${index}`);
    for (const mail of mails) {
      const body = { from: 'Shop <a@shop.test>', to: 'ann@to.test', subject: 's', ...mail };
      const sent = await server.call('POST', '/emails', body, { authorization: `Bearer ${testKey}` });
      assert.equal(sent.status, 200, sent.text);
    }
    await server.until('all have left', () => sink.count === names.length);
    report(check(python, temp, zone, sink));
  } finally {
    await server.stop();
    await sink.close();
    await dns.close();
    temp.remove();
  }
}

type Checked = { asLeft: Signature[][]; changed: Signature[][] };

function check(python: string, temp: Temp, zone: Record<string, string>, sink: Sink): Checked {
  const mails = sink.received.map(({ bytes }) => bytes);
  return { asLeft: verify(python, temp, zone, mails), changed: verify(python, temp, zone, mails.map(changed)) };
}

/** The control: one letter of the sender's name. */
function changed(bytes: Uint8Array): Buffer {
  return Buffer.from(
    Buffer.from(bytes)
      .toString('latin1')
      .replace(/^From: Shop/m, 'From: Shot'),
    'latin1',
  );
}

function report({ asLeft, changed: spoiled }: Checked): void {
  const wrong: string[] = [];
  for (const [index, signatures] of asLeft.entries()) {
    const named = signatures.map(({ a, good, reason }) => `${a} ${good ? 'good' : `bad (${reason})`}`).join(', ');
    console.log(`mail ${index}: ${named}`);
    if (signatures.length !== 2 || !signatures.every(({ good }) => good)) wrong.push(`mail ${index}`);
  }
  const taken = spoiled.flat().filter(({ good }) => good).length;
  console.log(`control: of ${spoiled.flat().length} signatures over a changed mail ${taken} were taken for good`);
  assert.deepEqual(wrong, [], 'mails whose two signatures are not both good');
  assert.equal(taken, 0, 'the control');
  assert.equal(asLeft.length, mails.length);
  console.log(`Both signatures of ${asLeft.length} mails are good to dkimpy.`);
}

await main();
