/** RELAYS_FILE: what it may say, and what is said about what it may not. */

import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { after, describe, it } from 'node:test';
import { ConfigError, readConfig } from '../../src/config/config.ts';
import type { RelaysFile } from '../../src/config/relays-file.ts';
import { mostAt } from '../../src/core/rate.ts';
import { createTemp } from '../support/temp.ts';

const temp = createTemp();
after(() => temp.remove());

function read(toml: string, variables: Record<string, string> = {}, more: Record<string, string> = {}): RelaysFile {
  writeFileSync(temp.path('relays.toml'), toml);
  const { relay } = readConfig({ RELAYS_FILE: temp.path('relays.toml'), ...more }, variables);
  assert(relay.kind === 'file');
  return relay.file;
}

function problemsOf(toml: string, variables: Record<string, string> = {}, more: Record<string, string> = {}): string {
  try {
    read(toml, variables, more);
  } catch (error) {
    assert(error instanceof ConfigError);
    return error.message;
  }
  throw new assert.AssertionError({ message: `accepted: ${toml}` });
}

const one = '[[relay]]\nname = "one"\nurl = "smtp://relay.example"\n';

describe('RELAYS_FILE', () => {
  it('may name SES by its region', () => {
    const key = `access_key_id = "AKIA"\nsecret_access_key = "\${SECRET}"`;
    const { relays } = read(`[[relay]]\nname = "ses"\nurl = "ses://eu-west-1"\n${key}`, { SECRET: 'a/b+c' });
    assert(relays[0]?.kind === 'upstream');
    assert.deepEqual(relays[0].server, {
      service: 'ses',
      host: 'email.eu-west-1.amazonaws.com',
      port: 443,
      isSecure: true,
      key: 'a/b+c',
      aws: { accessKeyId: 'AKIA', region: 'eu-west-1' },
    });
  });

  it('may name a plan of days that grow, which ends in what a day may have', () => {
    const plan = 'warm_up = [50, 100]\nwarm_up_from = 2027-01-31\n';
    const most = (more: string, at: string) => {
      const [day] = read(`${one}${plan}${more}`).relays[0]?.rates.own ?? [];
      return day && mostAt(day, Date.parse(at));
    };
    assert.deepEqual(
      ['2027-01-30', '2027-01-31T23:59Z', '2027-02-01', '2027-02-02'].map((at) => most('per_day = 80', at)),
      [50, 50, 80, 80],
    );
    assert.equal(most('', '2027-02-02'), Number.POSITIVE_INFINITY);
  });

  it('has the recipients’ own servers as a relay, with a share of the sessions for each domain', () => {
    const [mx, few] = read(`
[[relay]]
name = "direct"
url = "mx:?dns=127.0.0.1:53,[::1]:53&port=2525&allow=10.0.0.0/8"
ehlo = "out.example.com"
source_address = "203.0.113.5"
[[relay]]
name = "few"
url = "mx:"
connections = 3`).relays;
    assert(mx?.kind === 'mx' && few?.kind === 'mx');
    const { dns, port, stsPort, allow, name, source } = mx.server;
    assert.deepEqual([dns, port, stsPort, allow], [['127.0.0.1:53', '[::1]:53'], 2525, 443, ['10.0.0.0/8']]);
    assert.deepEqual([name, source, few.server.port], ['out.example.com', '203.0.113.5', 25]);
    const shares = [mx, few].map((one) => [one.connections, one.rates.domain.connections]);
    assert.deepEqual(shares, [
      [50, 5],
      [3, 1],
    ]);
  });

  it('says what an mx: has too much, or wrong, without quoting it', () => {
    for (const [url, words] of [
      ['mx://example.com', /is mx: with a host/],
      ['mx:?host=a', /unknown parameter after \?: known are dns, port/],
      ['mx:?dns=resolver.test', /has a dns that is not an address/],
      ['mx:?port=0', /has a port that is not a number/],
      ['mx:?allow=all', /has an allow that is neither/],
      ['mx:?source=eth0', /has a source that is not an address/],
    ] as const) {
      assert.match(problemsOf(`[[relay]]\nname = "a"\nurl = "${url}"`), words);
    }
  });

  it('names relays and routes', () => {
    const file = read(
      `
[[relay]]
name = "ses"
url = "smtp://user:\${PASSWORD}@relay.example:2525"
connections = 7
per_second = 14
domain.per_day = 1_000
domain.connections = 2
ehlo = "mail.shop.example"
[[relay]]
name = "backup"
url = "smtps://backup.example"
verify = false
[[route]]
from = "*.Shop.Example"
account = "shop"
tag = "bulk"
relays = ["backup", "ses"]`,
      { PASSWORD: 'p@ss/w:rd %' },
    );
    const [ses, backup] = file.relays;
    assert(ses?.kind === 'smtp' && backup?.kind === 'smtp');
    assert.deepEqual(ses?.rates, {
      own: [{ window: 'second', ms: 1_000, most: 14 }],
      domain: { ceilings: [{ window: 'day', ms: 86_400_000, most: 1_000 }], connections: 2 },
    });
    assert.deepEqual(ses?.server.auth, { user: 'user', pass: 'p@ss/w:rd %' });
    assert.deepEqual(
      [ses?.name, ses?.connections, ses?.server.port, ses?.server.name],
      ['ses', 7, 2525, 'mail.shop.example'],
    );
    assert.deepEqual([backup?.connections, backup?.server.secure], [10, true]);
    assert.deepEqual(backup?.server.tls, { rejectUnauthorized: false });
    assert.deepEqual(file.routes, [
      { from: '*.shop.example', account: 'shop', tag: 'bulk', relays: ['backup', 'ses'] },
    ]);
  });

  it('takes a password from a field or a file, as it is', () => {
    writeFileSync(temp.path('password'), 'from %file\n');
    const base = '[[relay]]\nname = "one"\nurl = "smtp://me@relay.example"\n';
    const pass = (line: string, variables = {}) => {
      const [relay] = read(base + line, variables).relays;
      return relay?.kind === 'smtp' ? relay.server.auth?.pass : null;
    };
    assert.equal(pass(`password = "a \${B}"`, { B: 'b%' }), 'a b%');
    assert.equal(pass(`password_file = "${temp.path('password')}"`), 'from %file');
    assert.match(problemsOf(`${base}password = "x"\npassword_file = "y"`), /both set/);
    assert.match(problemsOf(`${base}password_file = "${temp.path('none')}"`), /cannot be read \(ENOENT\)/);
  });

  it('is refused beside RELAY_URL, and where a variable is not set', () => {
    assert.match(problemsOf(one, {}, { RELAY_URL: 'capture:' }), /RELAYS_FILE and RELAY_URL are both set/);
    assert.match(problemsOf(one, {}, { RELAY_CONNECTIONS: '3' }), /RELAY_CONNECTIONS goes with RELAY_URL/);
    const url = `[[relay]]\nname = "one"\nurl = "smtp://u:\${SECRET}@relay.example"\n`;
    assert.match(problemsOf(url), /relay 1: `url` wants \$\{SECRET\}, which is not set/);
    assert.match(problemsOf(url, { SECRET: '' }), /which is not set/);
  });

  it('says where it is not TOML, and never what stands there', () => {
    const text = problemsOf('[[relay]]\nname = "one"\nurl = "smtp://u:hunter2@relay.example\n');
    assert.match(text, /RELAYS_FILE is not TOML at line 3, column \d+\./);
    assert.doesNotMatch(text, /hunter2/);
  });

  const wrong: [what: string, toml: string, says: RegExp][] = [
    ['no relay', '', /names no \[\[relay\]\]/],
    ['a table with single brackets', '[relay]\nname = "one"', /must write \[\[relay\]\] with two brackets/],
    ['names at its top', `key = 1\n${one}`, /1 unknown names at its top/],
    ['a relay without a name', '[[relay]]\nurl = "smtp://relay.example"', /relay 1: `name` is missing/],
    ['a name that is none', '[[relay]]\nname = "a b"\nurl = "smtp://relay.example"', /`name` must begin/],
    ['a name twice', one + one, /a relay name twice/],
    ['a URL that is none', '[[relay]]\nname = "one"\nurl = "hunter2"', /`url` cannot be read as a URL/],
    ['capture:', '[[relay]]\nname = "one"\nurl = "capture:"', /stands alone/],
    ['an unknown field', `${one}conections = 3`, /1 unknown fields: what is known here is .*connections/],
    ['a warm-up without its first day', `${one}warm_up = [50]`, /`warm_up` .* and `warm_up_from` .* go together/],
    ['a warm-up that is no list', `${one}warm_up = 50`, /`warm_up` must be a list of whole numbers/],
    ['a first day that is none', `${one}warm_up = [50]\nwarm_up_from = 1`, /`warm_up_from` must be a date/],
    ['SES without a region', '[[relay]]\nname = "x"\nurl = "ses://"\n', /names no host/],
    ['SES without a key', '[[relay]]\nname = "x"\nurl = "ses://eu-west-1"\n', /`access_key_id` is missing/],
    ['another auth', `${one}auth = "plain"`, /`auth` must be "xoauth2"/],
    ['tokens without auth', `${one}client_id = "x"`, /want auth = "xoauth2"/],
    ['xoauth2 from nowhere', `${one}auth = "xoauth2"`, /`token_url` and `client_id` are needed/],
    [
      'tokens in the open',
      `${one}auth = "xoauth2"\ntoken_url = "http://x.test/"\nclient_id = "x"\nclient_secret = "x"`,
      /`token_url` must be a URL that begins with https/,
    ],
    ['a rate out of range', `${one}per_second = 0`, /`per_second` must be a whole number from 1/],
    ['a rate of a domain that is none', `${one}domain.per_minute = "x"`, /`domain\.per_minute` must be a whole/],
    ['an unknown rate of a domain', `${one}domain.per_hour = 1`, /`domain` has 1 unknown fields: .*per_minute/],
    ['a domain that is no table', `${one}domain = 1`, /`domain` must be a table/],
    ['connections out of range', `${one}connections = 0`, /`connections` must be a whole number from 1 to 200/],
    ['a flag that is none', `${one}verify = "no"`, /`verify` must be true or false/],
    ['a CA that is not looked at', `${one}ca_file = "package.json"\nverify = false`, /`ca_file` says nothing/],
    ['an upstream without a key', '[[relay]]\nname = "one"\nurl = "resend://"', /`key` or `key_file` is missing/],
    [
      'an upstream with a password',
      '[[relay]]\nname = "one"\nurl = "resend://u:hunter2@h"\nkey = "k"',
      /takes a `key`/,
    ],
    ['another Sendonce without a host', '[[relay]]\nname = "one"\nurl = "sendonce://"\nkey = "k"', /names no host/],
    ['a key that is none', '[[relay]]\nname = "one"\nurl = "brevo://"\nkey = "hunter2 x"', /`key` must be printable/],
    ['a route to nowhere', `${one}[[route]]\nrelays = []`, /route 1: `relays` must name one relay/],
    ['a route to a stranger', `${one}[[route]]\nrelays = ["two"]`, /names a relay that is not in this file/],
    ['a route twice by one', `${one}[[route]]\nrelays = ["one", "one"]`, /names a relay twice/],
    ['a sender that is none', `${one}[[route]]\nfrom = "*"\nrelays = ["one"]`, /`from` must be an address, a domain/],
  ];
  for (const [what, toml, says] of wrong) {
    it(`is refused for ${what}, without a word of what was written`, () => {
      const text = problemsOf(toml);
      assert.match(text, says);
      assert.doesNotMatch(text, /hunter2/);
    });
  }

  it('says everything that is wrong at once', () => {
    const text = problemsOf(`${one}connections = "x"\n[[relay]]\nname = "two"\n[[route]]\nrelays = ["three"]`);
    for (const where of ['relay 1', 'relay 2', 'route 1']) assert.ok(text.includes(where), text);
  });
});
