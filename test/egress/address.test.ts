/** Which addresses are connected to, however they are written, resolved or changed meanwhile. */

import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { createAddressPolicy } from '../../src/egress/address.ts';
import { createEgress } from '../../src/egress/egress.ts';

const limits = { maxBytes: 1_000, timeoutMs: 5_000 };

const forbidden: [what: string, addresses: string[]][] = [
  ['loopback', ['127.0.0.1', '127.255.255.254', '::1']],
  ['private', ['10.0.0.1', '172.16.0.1', '172.31.255.255', '192.168.1.1', 'fc00::1', 'fd12:3456::1', 'fec0::1']],
  ['link-local', ['169.254.0.1', 'fe80::1', 'fe80::1%eth0']],
  ['metadata services', ['169.254.169.254', 'fd00:ec2::254', '100.100.100.200', '192.0.0.192', '168.63.129.16']],
  ['carrier-grade NAT', ['100.64.0.1', '100.127.255.255']],
  ['unspecified', ['0.0.0.0', '0.1.2.3', '::']],
  ['multicast and broadcast', ['224.0.0.1', '239.255.255.255', '255.255.255.255', 'ff02::1']],
  [
    'reserved, documentation, benchmarking',
    ['240.0.0.1', '192.0.2.1', '198.18.0.1', '203.0.113.1', '2001:db8::1', '3fff::1', '100::1'],
  ],
  ['IPv4 in IPv6', ['::ffff:127.0.0.1', '::ffff:8.8.8.8', '::127.0.0.1', '::8.8.8.8', '::ffff:0:127.0.0.1']],
  ['NAT64', ['64:ff9b::7f00:1', '64:ff9b::808:808', '64:ff9b:1::1']],
  ['6to4 and Teredo', ['2002:7f00:1::', '2002:808:808::1', '2001:0:7f00:1::1']],
  ['what IPv6 has not handed out', ['4000::1', '5f00::1', '8000::1', '1::1']],
  ['what is no address', ['', 'localhost', '127.1', '2130706433', '0177.0.0.1', '0x7f.0.0.1', '8.8.8.8 ', '8.8.8']],
];
const publicAddresses = [
  '8.8.8.8',
  '1.1.1.1',
  '172.15.0.1',
  '172.32.0.1',
  '100.63.255.255',
  '169.253.0.1',
  '2606:4700::1111',
  '2a00:1450:4001::200e',
];

describe('the address policy', () => {
  for (const [what, addresses] of forbidden) {
    test(`refuses ${what}`, () => {
      const allowed = createAddressPolicy([]);
      assert.deepEqual(addresses.filter(allowed), []);
    });
  }

  test('lets the public internet through', () => {
    assert.deepEqual(publicAddresses.filter(createAddressPolicy([])), publicAddresses);
  });

  test('what is allowed is allowed in the family it is written in, and no further', () => {
    const allowed = createAddressPolicy(['10.1.0.0/16', '127.0.0.1', 'fd00::/8', '64:ff9b::/96']);
    assert.ok(['10.1.2.3', '127.0.0.1', 'fd00::1', '64:ff9b::808:808', '8.8.8.8'].every(allowed));
    const refused = [
      '10.2.0.1',
      '127.0.0.2',
      'fc00::1',
      '::ffff:10.1.2.3',
      '::ffff:127.0.0.1',
      '64:ff9b:1::1',
      'fe80::1',
    ];
    assert.deepEqual(refused.filter(allowed), []);
  });

  test('a range that is none is refused at the start, by name', () => {
    for (const range of [
      '',
      'localhost',
      '10.0.0.0/33',
      'fd00::/129',
      '10.0.0.0/',
      '10.0.0.0/8/8',
      '10/8',
      '10.0.0.0/-1',
      '10.0.0.0/0x8',
    ]) {
      assert.throws(
        () => createAddressPolicy([range]),
        (error: Error) => error.message.startsWith(`"${range}" is neither`),
      );
    }
  });
});

describe('egress to this machine', () => {
  let port = 0;
  let asked = 0;
  const server = http.createServer((_request, response) => {
    asked++;
    response.end('private');
  });
  before(async () => {
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    port = (server.address() as AddressInfo).port;
  });
  after(() => server.close());

  const forms = [
    '127.0.0.1',
    '127.1',
    '2130706433',
    '0x7f000001',
    '0x7f.1',
    '017700000001',
    '0177.0.0.1',
    '127.0.0.1.',
    '①②⑦.0.0.1',
  ];
  for (const host of [
    ...forms,
    '0.0.0.0',
    '0',
    '[::1]',
    '[::ffff:127.0.0.1]',
    '[::ffff:7f00:1]',
    '[::]',
    '[::127.0.0.1]',
    'localhost',
    'LOCALHOST',
  ]) {
    test(`http://${host}/ is refused without a connection`, async () => {
      asked = 0;
      const got = await createEgress().fetchBytes(`http://${host}:${port}/`, limits);
      assert.equal(got.kind, 'blocked_address', JSON.stringify(got));
      assert.equal(asked, 0);
    });
  }

  test('every one of the IPv4 forms is reached once it is allowed: the refusals above are not for another reason', async () => {
    for (const host of forms) {
      const got = await createEgress({ allow: ['127.0.0.1'] }).fetchBytes(`http://${host}:${port}/`, limits);
      assert.equal(got.kind, 'ok', `${host} ${JSON.stringify(got)}`);
    }
  });

  test('a name that leads here is refused, without saying where it leads', async () => {
    for (const address of ['127.0.0.1', '::1', '::ffff:127.0.0.1', '169.254.169.254', 'not an address']) {
      const got = await createEgress({ resolve: async () => [address] }).fetchBytes(
        `http://evil.example:${port}/`,
        limits,
      );
      assert.equal(got.kind, 'blocked_address');
      assert.ok('message' in got && !got.message.includes(address));
    }
  });

  test('of several addresses only those allowed are connected to', async () => {
    asked = 0;
    // Nothing listens at 127.0.0.2, and 127.0.0.1 is not allowed: were it tried next, the server would be asked.
    const egress = createEgress({ allow: ['127.0.0.2'], resolve: async () => ['127.0.0.1', '127.0.0.2', '::1'] });
    const got = await egress.fetchBytes(`http://mixed.example:${port}/`, limits);
    assert.equal(got.kind, 'unreachable', JSON.stringify(got));
    assert.equal(asked, 0);
  });

  test('a name is resolved once: one that rebinds to this machine meanwhile gains nothing', async () => {
    asked = 0;
    const answers = [['127.0.0.2'], ['127.0.0.1']];
    let resolved = 0;
    const resolve = async (): Promise<string[]> => answers[resolved++] ?? [];
    // 127.0.0.2 stands for the public address; only it is allowed.
    const egress = createEgress({ allow: ['127.0.0.2'], resolve });
    assert.equal((await egress.fetchBytes(`http://rebind.example:${port}/`, limits)).kind, 'unreachable');
    assert.equal(resolved, 1);
    // Asked anew for the next request, and judged anew.
    assert.equal((await egress.fetchBytes(`http://rebind.example:${port}/`, limits)).kind, 'blocked_address');
    assert.equal(asked, 0);
  });

  test('the pinned address is used although the system would resolve the name elsewhere or not at all', async () => {
    let resolved = 0;
    const resolve = async (host: string): Promise<string[]> => {
      resolved++;
      assert.equal(host, 'nowhere.invalid');
      return ['127.0.0.1'];
    };
    const egress = createEgress({ allow: ['127.0.0.1'], resolve });
    assert.equal((await egress.fetchBytes(`http://nowhere.invalid:${port}/`, limits)).kind, 'ok');
    assert.equal(resolved, 1);
  });

  for (const url of [
    '',
    'files/a.pdf',
    '//h/a',
    'ftp://127.0.0.1/',
    'file:///etc/passwd',
    'data:text/plain,x',
    'http://',
    'http://user@h/',
    'http://user:pass@h/',
    'http://:pass@h/',
    'http://[fe80::1%25eth0]/',
    'http://999.1.1.1/',
    'http://a b/',
    `http://h/${'x'.repeat(8_192)}`,
  ]) {
    test(`${JSON.stringify(url.slice(0, 40))} is not a URL to fetch`, async () => {
      let resolved = 0;
      const resolve = async (): Promise<string[]> => [`127.0.0.${++resolved}`];
      const got = await createEgress({ allow: ['127.0.0.0/8'], resolve }).fetchBytes(url, limits);
      assert.equal(got.kind, 'invalid_url', JSON.stringify(got));
      assert.ok('message' in got && !got.message.includes('pass@') && got.message.length < 300);
      assert.equal(resolved, 0);
    });
  }
});
