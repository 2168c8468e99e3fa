/** What the settings are read as, and what is said of those that do not work: everything at once, and no secret. */

import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { describe, it, type TestContext } from 'node:test';
import { ConfigError, examineConfig, readConfig } from '../../src/config/config.ts';
import { findNearMisses } from '../../src/config/near-misses.ts';
import { parseRelayUrl } from '../../src/config/relay-url.ts';
import { type Environment, visibleSecrets } from '../../src/config/settings.ts';
import { createTemp } from '../support/temp.ts';

function problemsOf(environment: Environment): string[] {
  return examineConfig(environment).problems.map(({ text }) => text);
}

/** The path of a file that holds this. */
function fileOf(t: TestContext, content: string): string {
  const temp = createTemp();
  t.after(() => temp.remove());
  writeFileSync(temp.path('key.pem'), content);
  return temp.path('key.pem');
}

const usable = generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }) as string;

describe('names that are no settings', () => {
  it('are taken for the setting they nearly are, or that others call so', () => {
    const misses = (name: string) => findNearMisses({ [name]: 'x' });
    for (const [name, meant] of [
      ['RELAY_URl', 'RELAY_URL'],
      ['relay_url', 'RELAY_URL'],
      ['DATABASE_URI', 'DATABASE_URL'],
      ['LOGLEVEL', 'LOG_LEVEL'],
      ['SMTP_URL', 'RELAY_URL'],
      ['SENDONCE_APIKEY', 'SENDONCE_API_KEY'],
    ] as const)
      assert.deepEqual(misses(name), [[name, meant]]);
    for (const name of [
      'RELAY_URL',
      'HOSTNAME',
      'HOSTS',
      'SORT',
      'PATH',
      'LANG',
      'NODE_ENV',
      'npm_config_user_agent',
      'PWD',
    ])
      assert.deepEqual(misses(name), []);
  });
});

describe('the settings', () => {
  it('are the defaults where nothing is set, or set to nothing', () => {
    assert.deepEqual(readConfig({}), readConfig({ RELAY_URL: ' ', DKIM_KEYS: '', EGRESS_ALLOW: '' }));
    assert.deepEqual(readConfig({ EGRESS_ALLOW: ' , ' }).egressAllow, []);
    assert.deepEqual(readConfig({}).relay, { kind: 'capture' });
  });

  it('have bounces come back to a domain, and ask relays for what an operator wants to know', () => {
    const { bounceDomain, bounceNotify } = readConfig({
      BOUNCE_DOMAIN: 'Back.Example.com',
      BOUNCE_NOTIFY: 'Success,failure',
    });
    assert.deepEqual(
      { bounceDomain, bounceNotify },
      { bounceDomain: 'back.example.com', bounceNotify: ['failure', 'success'] },
    );
    assert.deepEqual(readConfig({}).bounceNotify, ['failure', 'delay']);
    const problems = problemsOf({ BOUNCE_DOMAIN: 'localhost', BOUNCE_NOTIFY: 'never' });
    assert.deepEqual(problems, [
      'BOUNCE_DOMAIN has "localhost". It must be a domain, as `example.com`.',
      'BOUNCE_NOTIFY takes failure, delay, success, not "never".',
    ]);
  });

  it('name a mailbox that bounces come to, percent-encoded, and never repeat its password', () => {
    const { mailbox } = readConfig({
      BOUNCE_IMAP_URL: 'imaps://bounces%40acme.example:p%40ss%2F@imap.example.com/Bounces/in',
    });
    assert.deepEqual(mailbox, {
      ...{ host: 'imap.example.com', port: 993, isSecure: true, starttls: 'required' },
      ...{ user: 'bounces@acme.example', password: 'p@ss/', folder: 'Bounces/in', oauth: null, ca: null },
    });
    const { port, folder } = readConfig({ BOUNCE_IMAP_URL: 'imap://me:secret@127.0.0.1?starttls=never' }).mailbox ?? {};
    assert.deepEqual([port, folder], [143, 'INBOX']);
    for (const wrong of [
      'pop3://me:secret@h',
      'imaps://secret@h',
      'imap://me:secret@h?starttls=never',
      'imaps://me:sec%ret@h',
    ]) {
      const [problem = '', ...others] = problemsOf({ BOUNCE_IMAP_URL: wrong });
      assert.match(problem, /^BOUNCE_IMAP_URL (?!.*secret).*\.$/, wrong);
      assert.deepEqual(others, []);
    }
    const oauth = 'auth=xoauth2&client_id=us&refresh_token=hunter2';
    for (const wrong of [
      'me:hunter2@h?verify=no',
      `me:hunter2@h?${oauth}&token_url=https://a.example`,
      `me@h?${oauth}&token_url=http://hunter2.example`,
      'me:hunter2@h?ca_file=/nowhere/hunter2.pem',
    ]) {
      const [problem = '', ...others] = problemsOf({ BOUNCE_IMAP_URL: `imaps://${wrong}` });
      assert.match(problem, /^BOUNCE_IMAP_URL has (?!.*hunter2).*\.$/, wrong);
      assert.deepEqual(others, []);
    }
  });

  it('take mail for domains that are none of bounces', () => {
    const { receivingDomains } = readConfig({ RECEIVING_DOMAINS: 'In.example.com, other.example.com' });
    assert.deepEqual(receivingDomains, ['in.example.com', 'other.example.com']);
    assert.deepEqual(problemsOf({ BOUNCE_DOMAIN: 'b.example.com', RECEIVING_DOMAINS: 'b.example.com,nowhere' }), [
      'RECEIVING_DOMAINS has "nowhere". It must be a domain, as `example.com`.',
      'RECEIVING_DOMAINS has b.example.com, which is BOUNCE_DOMAIN: what comes there is about mail that was sent.',
    ]);
  });

  it('have the lifetime of keys in hours or days, never shorter than 24 hours', () => {
    const lifetime = (text: string) => readConfig({ KEY_LIFETIME: text }).keyLifetimeMs;
    const hourMs = 3_600_000;
    assert.deepEqual(
      [lifetime(''), lifetime('24h'), lifetime('48H'), lifetime('30d')],
      [null, 24 * hourMs, 48 * hourMs, 720 * hourMs],
    );
    for (const text of ['23h', '31d', '721h', '48', '2 days', '-1d', '1.5d', '0']) {
      const problem = `KEY_LIFETIME must be from 24h to 30d, written as 48h or 30d, not "${text}".`;
      assert.deepEqual(problemsOf({ KEY_LIFETIME: text }), [problem]);
    }
  });

  it('are refused together, each with a sentence that begins with its name', () => {
    const environment = {
      PORT: 'eighty',
      DATABASE_URL: 'mysql://here',
      RELAY_URL: 'smtp://',
      DKIM_KEYS: 'acme.test:s1:/nowhere/key.pem',
      EGRESS_ALLOW: '10.0.0.0/8,inside',
      IN_DOUBT: 'guess',
    };
    const names = problemsOf(environment).map((text) => text.split(' ')[0]);
    assert.deepEqual(names.sort(), Object.keys(environment).sort());
    assert.throws(
      () => readConfig(environment),
      (error: Error) => error instanceof ConfigError && names.every((name) => error.message.includes(name ?? '')),
    );
  });
});

describe('a secret', () => {
  it('may come from a file, whose last line break is none of it', (t) => {
    const url = 'smtp://me:hunter2@mx.example.com';
    const { relay, apiKey, secretKey } = readConfig({
      RELAY_URL_FILE: fileOf(t, `${url}\n`),
      SENDONCE_API_KEY_FILE: fileOf(t, 're_of_a_file\r\n'),
      SECRET_KEY_FILE: fileOf(t, 'x'.repeat(32)),
    });
    assert.deepEqual([relay, apiKey, secretKey], [parseRelayUrl(url), 're_of_a_file', 'x'.repeat(32)]);
  });

  it('is refused where its file is not there, is empty, or stands beside the setting itself: never the default', (t) => {
    const file = fileOf(t, 'capture:');
    assert.deepEqual(problemsOf({ RELAY_URL_FILE: '/nowhere/relay' }), [
      'RELAY_URL_FILE names a file that cannot be read (ENOENT): /nowhere/relay.',
    ]);
    assert.match(
      problemsOf({ DATABASE_URL_FILE: fileOf(t, ' \n') })[0] ?? '',
      /^DATABASE_URL_FILE names a file that is empty/,
    );
    assert.deepEqual(problemsOf({ RELAY_URL: 'capture:', RELAY_URL_FILE: file }), [
      'RELAY_URL_FILE and RELAY_URL are both set: leave one of them out.',
    ]);
    const short = problemsOf({ SECRET_KEY: 'hunter2', SECRET_KEY_OLD: 'hunter3' });
    assert.match(short.join(), /^SECRET_KEY must have at least 32 characters: .*,SECRET_KEY_OLD must/);
    assert.doesNotMatch(short.join(), /hunter/);
  });

  it('is seen by everybody where it is a flag', () => {
    const seen = { RELAY_URL: 'smtp://me:hunter2@mx.example.com', SECRET_KEY: 'x', SENDONCE_API_KEY: 're_1' };
    assert.deepEqual(visibleSecrets(seen).sort(), Object.keys(seen).sort());
    const harmless = {
      RELAY_URL: 'smtp://mx.example.com:587',
      DATABASE_URL: 'postgres://user@host/database',
      PORT: '3000',
    };
    assert.deepEqual(visibleSecrets(harmless), []);
    assert.deepEqual(visibleSecrets({ DATABASE_URL: 'postgres://user:secret@host/database' }), ['DATABASE_URL']);
  });
});

describe('secrets that somebody chose', () => {
  const weak = ['k', 'fifteen-letters', 'abcabcabcabcabcabcabc', 'x'.repeat(40), '0123456789abcde0123456789abcde'];
  const strong = ['sixteen-letters!', 're_a2K9dPq47LmN0sTzYxWvUrE3hGfJbC1i', 'abcdefghijklmnoa'];

  it('are refused outside loopback where they can be guessed, and taken on loopback or where a test says so', () => {
    for (const key of weak) {
      const environment = { SENDONCE_API_KEY: key, HOST: '0.0.0.0' };
      const [problem = ''] = problemsOf(environment);
      assert.match(problem, /^SENDONCE_API_KEY is too easy to guess .*HOST is 0\.0\.0\.0/, key);
      assert(!problem.includes(`"${key}"`), 'and it is not said again');
      assert.deepEqual(problemsOf({ ...environment, ALLOW_WEAK_KEY: 'true' }), []);
      for (const HOST of ['127.0.0.1', 'localhost', '::1']) assert.deepEqual(problemsOf({ ...environment, HOST }), []);
      assert.match(problemsOf({ METRICS_TOKEN: key })[0] ?? '', /^METRICS_TOKEN is too easy to guess/);
    }
    for (const key of strong)
      assert.deepEqual(problemsOf({ SENDONCE_API_KEY: key, HOST: '::', METRICS_TOKEN: key }), []);
  });
});

describe('RELAY_URL', () => {
  const plain = { host: 'mx.example.com', port: 587, secure: false, auth: null };
  const good: [string, object][] = [
    ['smtp://mx.example.com', plain],
    ['smtps://mx.example.com/', { ...plain, port: 465, secure: true }],
    ['smtp://mx.example.com:25?starttls=never', { ...plain, port: 25, starttls: 'never' }],
    [
      'smtp://a%40b:p%3A%2F%25@[::1]:2525?starttls=required',
      { host: '::1', port: 2525, secure: false, starttls: 'required', auth: { user: 'a@b', pass: 'p:/%' } },
    ],
  ];
  for (const [url, server] of good) {
    it(`${url} is read`, () => assert.deepEqual(parseRelayUrl(url), { kind: 'smtp', server }));
  }

  const bad: [string, RegExp][] = [
    ['mx.example.com', /cannot be read/],
    ['capture', /cannot be read/],
    ['http://secret@host', /smtp:\/\/ or smtps:\/\//],
    ['smtp://', /no host/],
    ['smtp://me:sec/ret@host', /percent-encode/],
    ['smtp://me:12/secret@host', /percent-encode/],
    ['smtp://me:sec%ret@host', /badly percent-encoded/],
    ['smtp://me:se%cret@host', /badly percent-encoded/],
    ['smtp://secret@host', /both user and password/],
    ['smtp://me:secret%00@host', /NUL/],
    ['smtp://host:0', /port 0/],
    ['smtp://me:secret@host:99999', /cannot be read/],
    ['smtp://me:secret@host?tls=no', /only starttls/],
    ['smtp://me:secret@host?starttls=maybe', /"required" nor "never"/],
    ['smtps://me:secret@host?starttls=required', /smtps/],
  ];
  for (const [url, words] of bad) {
    it(`${url} is refused with a reason, not with the password`, () => {
      const [problem = '', ...others] = problemsOf({ RELAY_URL: url });
      assert.match(problem, words);
      assert.deepEqual(others, []);
      for (const part of ['secret', 'sec%ret', 'se%cret', 'sec/ret']) assert.ok(!problem.includes(part), problem);
    });
  }
});

describe('DKIM_KEYS', () => {
  it('are read with their keys, several of one domain, too', (t) => {
    const file = fileOf(t, usable);
    const { dkim } = readConfig({ DKIM_KEYS: `Acme.Test:s1:${file}, acme.test:s2:${file}` });
    assert.deepEqual(
      dkim.map(({ domain, selector, privateKeyPem }) => [domain, selector, privateKeyPem]),
      [
        ['acme.test', 's1', usable],
        ['acme.test', 's2', usable],
      ],
    );
  });

  it('are refused where a file cannot be read or used, a selector comes twice, or a part is none: all at once', (t) => {
    const file = fileOf(t, usable);
    const short = generateKeyPairSync('rsa', { modulusLength: 512 }).privateKey;
    const weak = fileOf(t, short.export({ type: 'pkcs8', format: 'pem' }) as string);
    const noKey = fileOf(t, 'very secret, and no key');
    const parts = [
      'gone.test:s1:/nowhere/key.pem',
      `weak.test:s1:${weak}`,
      `none.test:s1:${noKey}`,
      `a b.test:s1:${file}`,
      `twice.test:s1:${file}`,
      `TWICE.test:s1:${file}`,
      'acme.test',
    ];
    const expected = [
      /^DKIM_KEYS .*gone\.test with selector s1 that cannot be read \(ENOENT\): check its path/,
      /^DKIM_KEYS .*weak\.test .*512 bits .*: it must hold a private key in PEM/,
      /^DKIM_KEYS .*none\.test .*cannot be used/,
      /^DKIM_KEYS .*not a name in DNS/,
      /^DKIM_KEYS has selector s1 of twice\.test twice: leave one of them out\.$/,
      /^DKIM_KEYS must be domain:selector:\/path\/to\/key\.pem, comma-separated; number 7 is not\.$/,
    ];
    const problems = problemsOf({ DKIM_KEYS: parts.join(',') });
    assert.equal(problems.length, expected.length, problems.join('\n'));
    for (const [index, words] of expected.entries()) assert.match(problems[index] ?? '', words);
  });

  it('are not quoted, for they may be the key itself', () => {
    for (const pasted of [usable, `acme.test:s1:${usable}`, `acme.test:s1:${usable.split('\n')[1]}`]) {
      const problems = problemsOf({ DKIM_KEYS: pasted }).join('\n');
      assert.match(problems, /^DKIM_KEYS /);
      assert.ok(!problems.includes(usable.split('\n')[1] ?? ''), problems);
    }
  });
});

describe('EGRESS_ALLOW', () => {
  it('takes addresses and ranges, and names each part that is neither', () => {
    assert.deepEqual(readConfig({ EGRESS_ALLOW: '10.0.0.0/8, ::1' }).egressAllow, ['10.0.0.0/8', '::1']);
    const problems = problemsOf({ EGRESS_ALLOW: '10.0.0.0/33,localhost,::1' });
    assert.deepEqual(
      problems.map((text) => /"(.*)"/.exec(text)?.[1]),
      ['10.0.0.0/33', 'localhost'],
    );
  });
});
