/** `sendonce webhook listen` beside a running server. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Webhook as SvixWebhook } from 'svix';
import { listen } from '../../src/command/webhook.ts';
import { openDatabase } from '../support/engine.ts';
import { startReceiver } from '../support/receiver.ts';
import { serve } from '../support/served.ts';
import { send } from './stage.ts';

/** Listens until the test is over; lines are told apart by what they say. */
async function start(t: Parameters<typeof serve>[0], forwardTo: string | null) {
  const { server } = await serve(t);
  const database = await openDatabase(server.databaseUrl);
  const stopped = new AbortController();
  const lines: string[] = [];
  const print = (line: string) => void lines.push(line);
  const listening = listen(database, { account: 'default', forwardTo, print, signal: stopped.signal });
  t.after(async () => {
    stopped.abort();
    await listening;
    await database.close();
  });
  const said = (pattern: RegExp) => server.until(String(pattern), () => lines.some((line) => pattern.test(line)));
  await said(/^Listening/);
  return { server, lines, said };
}

describe('webhook listen', () => {
  it('prints what happens from now on, and nothing that moves the cursor', async (t) => {
    const { server, lines, said } = await start(t, null);
    const id = await send(server, { to: 'bounced@resend.dev', subject: 'a \u001b[2J b' });
    await server.call('POST', '/suppressions', { email: 'no@x.test' });
    await said(/suppression\.added .* no@x\.test {2}\(manual\)$/);
    await said(new RegExp(`email\\.bounced +${id}  bounced@resend\\.dev`));
    // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what must not be there.
    assert.ok(lines.every((line) => !/[\x00-\x1f]/.test(line)));
    assert.equal(lines.length, 3);
  });

  it('forwards to a program on this machine, signed with the secret it prints', async (t) => {
    const receiver = await startReceiver(t);
    const { server, lines, said } = await start(t, `${receiver.url}/hook`);
    const id = await send(server, { to: 'delivered@resend.dev' });
    await receiver.waitFor(2);
    await said(/email\.delivered .*→ 200 in \d+ ms$/);
    const secret = /whsec_\S+/.exec(lines.join('\n'))?.[0] ?? '';
    for (const { body, headers } of receiver.told)
      new SvixWebhook(secret).verify(body, headers as Record<string, string>);
    assert.deepEqual(
      receiver.told.map(({ json }) => [json.type, json.data.email_id]),
      [
        ['email.sent', id],
        ['email.delivered', id],
      ],
    );
  });

  it('says so where nobody is there, and goes on', async (t) => {
    const gone = await startReceiver(null);
    await gone.close();
    const { server, said } = await start(t, gone.url);
    await send(server, { to: 'bounced@resend.dev' });
    await said(/email\.bounced .*→ .* could not be reached/);
    await send(server, { to: 'suppressed@resend.dev' });
    await said(/email\.suppressed .*→ .* could not be reached/);
  });

  it('refuses what is no address to forward to', async (t) => {
    const { server } = await serve(t);
    const database = await openDatabase(server.databaseUrl);
    const options = {
      account: 'default',
      forwardTo: 'localhost:3000',
      print: () => {},
      signal: new AbortController().signal,
    };
    await assert.rejects(listen(database, options), /http/);
    await database.close();
  });
});
