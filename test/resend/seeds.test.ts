/** The examples of the two articles Sendonce was built from, run as they are printed: only the base URL differs. */

import assert from 'node:assert/strict';
import { execFile, spawnSync } from 'node:child_process';
import crypto from 'node:crypto';
import http from 'node:http';
import { describe, type TestContext, test } from 'node:test';
import { promisify } from 'node:util';
import { Resend } from 'resend';
import { onlyOnSqlite } from '../support/engine.ts';
import { allEmails, assertSentOnce, serve, subjects } from '../support/served.ts';
import { message, type TestServer } from '../support/server.ts';
import { exchange } from '../support/wire.ts';

/** The key as both articles print it. */
const printedKey = 're_xxxxxxxxx';

function start(t: TestContext) {
  return serve(t, { environment: { SENDONCE_API_KEY: printedKey } });
}

/** Keys and retries of both shapes are below, and in the tests of idempotency, on both engines. */
const spelling = onlyOnSqlite('how clients spell a request, which no engine changes');

const asPrinted = { authorization: `Bearer ${printedKey}` };

describe('“Batch Idempotency Keys”: the announcement', () => {
  /** Printed twice, "first request" and "second request", with `...` where the reader puts the body. */
  const printed = `curl -X POST 'http://localhost:3000/emails/batch' \\
  -H 'Authorization: re_xxxxxxxxx' \\
  -H 'Content-Type: application/json' \\
  -H 'Idempotency-Key: team-quota/123456789' ...`;

  const body = JSON.stringify([
    message({ to: ['foo@gmail.com'], subject: 'hello world' }),
    message({ to: ['bar@outlook.com'], subject: 'world hello', html: '<p>it works!</p>' }),
  ]);

  for (const authorization of ['re_xxxxxxxxx', 'Bearer re_xxxxxxxxx']) {
    test(
      `its two curls with \`Authorization: ${authorization}\` return the same ids, and two mails leave`,
      spelling,
      async (t) => {
        const { server, sink } = await start(t);
        const command = printed.replace('Authorization: re_xxxxxxxxx', `Authorization: ${authorization}`);
        const first = await run(t, server, command, body);
        const second = await run(t, server, command, body);
        assert.equal(second, first);
        assert.match(first, /^\{"data":\[\{"id":"[0-9a-f-]{36}"\},\{"id":"[0-9a-f-]{36}"\}\]\}$/);
        const ids = JSON.parse(first).data.map(({ id }: { id: string }) => id);
        await assertSentOnce(server, sink, ids);
        assert.deepEqual(subjects(sink).sort(), ['hello world', 'world hello']);
      },
    );
  }

  test('its Node example returns the same ids when it is run again, and two mails leave', spelling, async (t) => {
    const { server, sink } = await start(t);
    process.env.RESEND_BASE_URL = server.url;
    t.after(() => delete process.env.RESEND_BASE_URL);

    async function example() {
      const resend = new Resend('re_xxxxxxxxx');

      return await resend.batch.send(
        [
          {
            from: 'Acme <onboarding@resend.dev>',
            to: ['foo@gmail.com'],
            subject: 'hello world',
            html: '<h1>it works!</h1>',
          },
          {
            from: 'Acme <onboarding@resend.dev>',
            to: ['bar@outlook.com'],
            subject: 'world hello',
            html: '<p>it works!</p>',
          },
        ],
        {
          idempotencyKey: 'team-quota/123456789',
        },
      );
    }

    const first = await example();
    const second = await example();
    assert.equal(first.error, null);
    assert.deepEqual(second.data, first.data);
    const ids = first.data?.data.map(({ id }) => id) ?? [];
    await assertSentOnce(server, sink, ids);
    assert.deepEqual(subjects(sink).sort(), ['hello world', 'world hello']);
  });
});

describe('“How do I use idempotency keys with Resend”: the guide', () => {
  test('its first example, with the Node SDK, can be retried: same id, one mail', spelling, async (t) => {
    const { server, sink } = await start(t);
    process.env.RESEND_BASE_URL = server.url;
    process.env.RESEND_API_KEY = printedKey;
    t.after(() => {
      delete process.env.RESEND_BASE_URL;
      delete process.env.RESEND_API_KEY;
    });
    assert(crypto, 'imported by the example and not used');

    const resend = new Resend(process.env.RESEND_API_KEY);

    async function sendOrderConfirmationEmail(order: { id: string; customerEmail: string }) {
      const idempotencyKey = `order-confirmation:${order.id}`;

      try {
        const { data, error } = await resend.emails.send(
          {
            from: 'store@example.com',
            to: order.customerEmail,
            subject: `Your order ${order.id} is confirmed`,
            html: `<p>Thanks for your purchase!</p>`,
          },
          {
            // Example: hypothetical options object where Resend SDK
            // accepts headers or idempotency key
            headers: {
              'Idempotency-Key': idempotencyKey,
            },
          },
        );

        if (error) {
          throw error;
        }

        return data;
      } catch (err) {
        // Your retry logic can re-call this function.
        // As long as idempotencyKey stays the same, no duplicate email.
        // biome-ignore lint/complexity/noUselessCatch: as printed.
        throw err;
      }
    }

    const order = { id: 'order_12345', customerEmail: 'ann@example.com' };
    const first = await sendOrderConfirmationEmail(order);
    const second = await sendOrderConfirmationEmail(order);
    assert.deepEqual(second, first);
    await assertSentOnce(server, sink, [first?.id ?? '']);
    assert.deepEqual(subjects(sink), ['Your order order_12345 is confirmed']);
  });

  test('its second example, with axios, can be retried: same id, one mail', spelling, async (t) => {
    const { server, sink } = await start(t);
    const axios = createAxios(server.url);
    process.env.RESEND_API_KEY = printedKey;
    t.after(() => delete process.env.RESEND_API_KEY);

    async function sendPasswordResetEmail(userId: string, email: string, resetToken: string) {
      const idempotencyKey = `password-reset:${userId}:${resetToken}`;

      const payload = {
        from: 'no-reply@example.com',
        to: email,
        subject: 'Reset your password',
        html: `<p>Use this token: ${resetToken}</p>`,
      };

      const response = await axios.post('https://api.resend.com/emails', payload, {
        headers: {
          Authorization: `Bearer ${process.env.RESEND_API_KEY}`,
          'Content-Type': 'application/json',
          'Idempotency-Key': idempotencyKey,
        },
        // Axios-level retries (via interceptors or plugins) can reuse this call.
      });

      return response.data;
    }

    const first = await sendPasswordResetEmail('user_9876', 'user@example.com', 'abc123');
    const second = await sendPasswordResetEmail('user_9876', 'user@example.com', 'abc123');
    assert.deepEqual(second, first);
    await assertSentOnce(server, sink, [first.id]);
    assert.deepEqual(subjects(sink), ['Reset your password']);
  });

  test('its raw request is accepted as printed', spelling, async (t) => {
    const { server, sink } = await start(t);
    const request = {
      method: 'POST',
      path: '/emails',
      headers: [
        ['Authorization', 'Bearer re_xxxxxxxxx'],
        ['Content-Type', 'application/json'],
        ['Idempotency-Key', 'password-reset-USER123-20240401T120000Z'],
      ] as [string, string][],
      body: `{
  "from": "no-reply@example.com",
  "to": "user@example.com",
  "subject": "Reset your password",
  "html": "<p>Click here to reset your password…</p>"
}`,
    };
    const first = await exchange(server.url, request);
    const second = await exchange(server.url, request);
    assert.deepEqual([first.status, second.text], [200, first.text]);
    await assertSentOnce(server, sink, [first.json.id]);
  });
});

describe('the guide’s own three tests', () => {
  test('repeated sends with the same key deliver one email and return one id', async (t) => {
    const { server, sink } = await start(t);
    const ids = new Set<string>();
    for (let time = 0; time < 10; time++) ids.add((await send(server, message(), 'order-confirmation:1')).json.id);
    await assertSentOnce(server, sink, [...ids]);
    assert.equal(ids.size, 1);
  });

  test('a client that goes away 1 to 20 ms after sending and retries delivers one email, 200 times', async (t) => {
    const { server, sink } = await start(t);
    let lost = 0;
    const ids: string[] = [];
    async function retryUnderway(from: number) {
      for (let time = from; time < 200; time += 4) {
        const body = JSON.stringify(message({ subject: `mail ${time}` }));
        if (!(await sendAndLeave(server, body, `network:${time}`, 1 + (time % 20)))) lost++;
        const retried = await send(server, body, `network:${time}`);
        assert.equal(retried.status, 200, retried.text);
        ids.push(retried.json.id);
      }
    }
    await Promise.all(Array.from({ length: 4 }, (_, from) => retryUnderway(from)));
    assert(lost > 0, 'some clients must have left before their answer');
    t.diagnostic(`${lost} of 200 first answers never reached their client`);
    await assertSentOnce(server, sink, ids);
    assert.equal(new Set(subjects(sink)).size, 200);
    assert.equal((await allEmails(server, asPrinted)).length, 200);
  });

  test('another payload under the same key is refused and sends nothing', async (t) => {
    const { server, sink } = await start(t);
    const first = await send(server, message(), 'order-confirmation:1');
    for (const change of [{ subject: 'other' }, { html: '<p>other</p>' }, { to: 'other@gmail.com' }]) {
      const refused = await send(server, message(change), 'order-confirmation:1');
      assert.equal(refused.status, 409);
      assert.equal(refused.json.name, 'invalid_idempotent_request');
      assert.deepEqual(refused.json.different_fields, Object.keys(change));
    }
    await assertSentOnce(server, sink, [first.json.id]);
  });
});

/** The reader's completion of a printed command: the host of the server, and a body for the dots. Returns what it prints. */
async function run(t: TestContext, server: TestServer, printed: string, body: string): Promise<string> {
  const command = printed.replace('http://localhost:3000', server.url).replace(/\.\.\.$/, `-d '${body}'`);
  assert(!command.includes('...'));
  if (spawnSync('curl', ['--version']).error === undefined) {
    const { stdout } = await promisify(execFile)('sh', ['-c', command.replace(/^curl/, 'curl --silent --show-error')]);
    return stdout;
  }
  t.diagnostic('NO curl ON THIS MACHINE: the bytes it would have sent went through a plain socket instead.');
  const headers = [...printed.matchAll(/-H '([^:]+): ([^']*)'/g)].map(([, name = '', value = '']) => [name, value]);
  const path = new URL(/'(http[^']*)'/.exec(printed)?.[1] ?? '').pathname;
  const curl: [string, string][] = [
    ['User-Agent', 'curl/8.0.0'],
    ['Accept', '*/*'],
    ...(headers as [string, string][]),
  ];
  return (await exchange(server.url, { method: 'POST', path, headers: curl, body })).text;
}

/** axios is not installed: the one method of it that the example calls, over fetch. */
function createAxios(baseUrl: string) {
  return {
    async post(url: string, payload: unknown, options: { headers: Record<string, string> }) {
      const ours = url.replace('https://api.resend.com', baseUrl);
      const response = await fetch(ours, { method: 'POST', body: JSON.stringify(payload), ...options });
      if (!response.ok) throw new Error(`Request failed with status code ${response.status}`);
      return { status: response.status, data: (await response.json()) as { id: string } };
    },
  };
}

function send(server: TestServer, body: unknown, key: string) {
  return server.call('POST', '/emails', body, { ...asPrinted, 'idempotency-key': key });
}

/** Sends the whole request and hangs up after `ms`. True: the answer came first. */
function sendAndLeave(server: TestServer, body: string, key: string, ms: number): Promise<boolean> {
  return new Promise((resolve) => {
    const headers = { ...asPrinted, 'content-type': 'application/json', 'idempotency-key': key };
    const request = http.request(`${server.url}/emails`, { method: 'POST', headers, agent: false }, (response) => {
      response.resume();
      response.once('end', () => resolve(true));
    });
    request.on('error', () => resolve(false));
    request.end(body, () => setTimeout(() => request.destroy(), ms));
  });
}
