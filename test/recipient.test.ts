/** `sendonce recipient export`: all of one person, and nothing of another. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { recipient } from '../src/command/recipient.ts';
import { readConfig } from '../src/config/config.ts';
import { printed } from './support/printed.ts';
import { addApiKey, drained, serve } from './support/served.ts';
import { message, testSecretKey } from './support/server.ts';

describe('sendonce recipient export', () => {
  it('prints what every account keeps of a person while a server runs, and no other’s blind copy or answer', async (t) => {
    const { server } = await serve(t);
    const other = { authorization: `Bearer ${await addApiKey(server, 're_other', 'other')}` };
    const file = { filename: 'a.txt', content: Buffer.from('hello').toString('base64') };
    const mails: [mail: Record<string, unknown>, headers?: Record<string, string>][] = [
      [{ to: 'Ann <Ann@example.com>', subject: 'one', attachments: [file] }],
      [{ to: 'ben@example.com', bcc: ['ann@example.com', 'bounced@resend.dev'], subject: 'two' }],
      [{ to: 'ben@example.com', subject: 'three' }],
      [{ to: 'ann@example.com', subject: 'four' }, other],
    ];
    for (const [mail, headers] of mails) {
      assert.equal((await server.call('POST', '/emails', message(mail), headers)).status, 200);
    }
    await server.call('POST', '/contacts', { email: 'ann@example.com', first_name: 'Ann' });
    await drained(server);
    await server.call('POST', '/suppressions', { email: 'ann@example.com' });
    const { databaseUrl, stateDir } = server;
    const config = readConfig({ DATABASE_URL: databaseUrl, STATE_DIR: stateDir, SECRET_KEY: testSecretKey });

    const said = await printed(() => recipient(config, ['export', 'ANN@example.com']));
    const lines = said.split('\n').map((line) => JSON.parse(line));
    assert.deepEqual(
      lines.map(({ what, account, subject }) => [what, account, subject]).sort(),
      [
        ['contact', lines[0].account, undefined],
        ['email', lines[0].account, 'one'],
        ['email', lines[0].account, 'two'],
        ['email', 'other', 'four'],
        ['suppression', lines[0].account, undefined],
      ].sort(),
    );
    const [one, two] = lines.filter(({ what }) => what === 'email');
    assert.equal(lines[0].firstName, 'Ann');
    assert.equal(one.attachments[0].content, file.content);
    const events = one.events.map(({ type, recipient }: Record<string, string>) => [type, recipient]);
    assert.deepEqual(events, [['sent', 'Ann@example.com']]);
    assert.deepEqual(two.bcc, ['ann@example.com']);
    assert.deepEqual(two.states, ['sent']);
    assert.deepEqual(
      two.events.map((event: { recipient: string }) => event.recipient),
      ['ann@example.com'],
    );
    assert.doesNotMatch(said, /bounced@resend/);
    assert.equal(await printed(() => recipient(config, ['export', 'nobody@example.com'])), '');
    await assert.rejects(() => recipient(config, ['export', 'nobody']), /"nobody" is not an email address/);
    await assert.rejects(
      () => recipient(config, ['erase', 'ann@example.com']),
      /^UsageError|Usage: sendonce recipient/,
    );
  });
});
