/** The requests of the article “Idempotency for batch emails”, as they are printed: only host and key differ. */

import assert from 'node:assert/strict';
import { execFile, spawnSync } from 'node:child_process';
import { describe, type TestContext, test } from 'node:test';
import { promisify } from 'node:util';
import type { SystemClock } from '../../src/clock.ts';
import { serve } from '../support/served.ts';
import { type TestServer, testKey } from '../support/server.ts';
import { exchange } from '../support/wire.ts';
import { assertMailed, duplicateMessage, readMail } from './brevo.ts';

/** With the prompts of the shell it is printed in. */
const printedCommand = `$curl --request POST \\
> --url https://api.brevo.com/v3/smtp/email \\
> --header 'Accept: application/json' \\
> --header 'Content-Type: application/json' \\
> --header 'api-key: YOUR_API_KEY' \\
> --data '{
> "sender": {
> "name": "Ann",
> "email": "example@brevo.com"
> },
> "to": [
> {
> "email": "example2@brevo.com",
> "name": "Jenny"
> }
> ],
> "headers": {
> "idempotencyKey": "b52dbf-81dd-4a08-b807-085c"
> },
> "subject": "This is a unique email",
> "templateId": 1
>}'`;

/** With the line numbers it is printed with. */
const printedBody = `1{
2 "sender": {
3 "email": "sender@example.com",
4 "name": "Brevo"
5 },
6 "subject": "This is my default subject line",
7 "htmlContent": "<!DOCTYPE html><html><body><p>{{params.greeting}}</p></body></html>",
8 "headers": {
9 "idempotencyKey": "b530bf-810d-4a08-b807-075c"
10 },
11 "params": {
12 "greeting": "This is my default greeting",
13 "headline": "This is my default headline"
14 },
15 "messageVersions": [
16 {
17 "to": [
18 {
19 "email": "bob@example.com",
20 "name": "Bob Anderson"
21 },
22 {
23 "email": "anne@example.com",
24 "name": "Anne Smith"
25 }
26 ],
27 "params": {
28 "greeting": "Welcome onboard!",
29 "headline": "Be Ready for Takeoff."
30 },
31 "subject": "We are happy to be working with you"
32 },
33 {
34 "to": [
35 {
36 "email": "jim@example.com",
37 "name": "Jim Stevens"
38 },
39 {
40 "email": "mark@example.com",
41 "name": "Mark Payton"
42 },
43 {
44 "email": "andrea@example.com",
45 "name": "Andrea Wallace"
46 }
47 ],
48 "params": {
49 "greeting": "Hello there..."
50 }
51 }
52 ]
53}`;

const command = printedCommand.replace(/^\$/, '').replace(/^> ?/gm, '');
const versionsBody = printedBody.replace(/^\d+ ?/gm, '');

async function start(t: TestContext) {
  let ms = Date.now();
  const now = () => ms;
  const clock: SystemClock = { now, expiryNow: now, check() {} };
  const served = await serve(t, { outside: { clock } });
  return {
    ...served,
    advance(by: number) {
      ms += by;
    },
  };
}

/** What the printed command prints, with the host and key of the server. */
async function runCurl(t: TestContext, server: TestServer): Promise<string> {
  const ours = command.replace('https://api.brevo.com', server.url).replace('YOUR_API_KEY', testKey);
  if (spawnSync('curl', ['--version']).error === undefined) {
    const { stdout } = await promisify(execFile)('sh', ['-c', ours.replace(/^curl/, 'curl --silent --show-error')]);
    return stdout;
  }
  t.diagnostic('NO curl ON THIS MACHINE: the bytes it would have sent went through a plain socket instead.');
  const headers = [...ours.matchAll(/--header '([^:]+): ([^']*)'/g)].map(([, name = '', value = '']) => [name, value]);
  const body = /--data '([^']*)'/.exec(ours)?.[1] ?? '';
  const curl = [['User-Agent', 'curl/8.0.0'], ...headers] as [string, string][];
  return (await exchange(server.url, { method: 'POST', path: '/v3/smtp/email', headers: curl, body })).text;
}

describe('“Idempotency for batch emails”', () => {
  test('its curl is accepted, its repeat is refused with duplicate_parameter, and after 30 minutes it is accepted again', async (t) => {
    const { server, sink, advance } = await start(t);
    const first = JSON.parse(await runCurl(t, server));
    assert.deepEqual(Object.keys(first), ['messageId']);
    assert.deepEqual(JSON.parse(await runCurl(t, server)), {
      code: 'duplicate_parameter',
      message: duplicateMessage,
      messageId: first.messageId,
    });
    await assertMailed(server, sink, [first.messageId]);
    const read = await readMail(sink, first.messageId);
    assert.deepEqual(
      [read.from, read.to, read.subject],
      [['Ann <example@brevo.com>'], ['Jenny <example2@brevo.com>'], 'This is a unique email'],
    );
    assert.match(read.html ?? '', /Hello Jenny,/);
    assert.doesNotMatch(read.raw, /b52dbf-81dd-4a08-b807-085c/);

    advance(30 * 60_000);
    const again = JSON.parse(await runCurl(t, server));
    assert.deepEqual(Object.keys(again), ['messageId']);
    await assertMailed(server, sink, [first.messageId, again.messageId]);
  });

  test('its messageVersions return two ids, and two mails leave for two and three recipients', async (t) => {
    const { server, sink } = await start(t);
    const post = () => server.call('POST', '/v3/smtp/email', versionsBody, { authorization: '', 'api-key': testKey });
    const reply = await post();
    assert.equal(reply.status, 201, reply.text);
    assert.deepEqual(Object.keys(reply.json), ['messageIds']);
    const [first, second] = reply.json.messageIds;
    await assertMailed(server, sink, [first, second]);

    const one = await readMail(sink, first);
    assert.deepEqual(one.recipients, ['anne@example.com', 'bob@example.com']);
    assert.deepEqual(one.to, ['Bob Anderson <bob@example.com>', 'Anne Smith <anne@example.com>']);
    assert.equal(one.subject, 'We are happy to be working with you');
    assert.match(one.html ?? '', /<p>Welcome onboard!<\/p>/);

    const two = await readMail(sink, second);
    assert.deepEqual(two.recipients, ['andrea@example.com', 'jim@example.com', 'mark@example.com']);
    assert.equal(two.subject, 'This is my default subject line');
    assert.match(two.html ?? '', /<p>Hello there\.\.\.<\/p>/);

    const refused = await post();
    assert.deepEqual([refused.status, refused.json.messageIds], [400, [first, second]]);
    await assertMailed(server, sink, [first, second]);
  });
});
