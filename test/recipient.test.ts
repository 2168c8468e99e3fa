/** `sendonce recipient`: all of one person is shown, or forgotten, and nothing of another. */

import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { recipient } from '../src/command/recipient.ts';
import { readConfig } from '../src/config/config.ts';
import { openDatabase } from './support/engine.ts';
import { printed } from './support/printed.ts';
import { startReceiver } from './support/receiver.ts';
import { addApiKey, drained, serve } from './support/served.ts';
import { message, type TestServer, testSecretKey } from './support/server.ts';

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
    const config = configOf(server);

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
    await assert.rejects(() => recipient(config, ['forget', 'ann@example.com']), /Usage: sendonce recipient/);
  });
});

describe('sendonce recipient erase', () => {
  it('leaves the address nowhere, while a server runs and its counts, keys and suppressions stay true', async (t) => {
    const { server, sink } = await serve(t);
    const receiver = await startReceiver(t);
    receiver.behave = ({ body }) => ({ body });
    const events = ['email.bounced', 'suppression.added', 'contact.created', 'contact.updated'];
    await server.call('POST', '/webhooks', { endpoint: receiver.url, events });
    sink.behave = () => ({ rcpt: (to) => (/^ann/i.test(to) ? `550 5.1.1 <${to}>: no Ann Smith` : undefined) });
    const { call } = server;
    const segment = (await call('POST', '/segments', { name: 'all' })).json.id;
    await call('POST', '/contacts', { email: 'Ann@example.com', first_name: 'Ann Smith', segments: [segment] });
    await call('POST', '/contacts', { email: 'joann@example.com', segments: [segment] });
    const news = { segment_id: segment, from: 'a@acme.test', subject: 'news', text: 'to {{{EMAIL}}}' };
    const { id } = (await call('POST', '/broadcasts', news)).json;
    assert.equal((await call('POST', `/broadcasts/${id}/send`)).status, 200);
    const key = { 'idempotency-key': 'one' };
    const one = message({ to: ['Ann Smith <Ann@example.com>', 'joann@example.com'], text: 'Dear ann@example.com' });
    const first = await call('POST', '/emails', one, key);
    const isOut = async () => (await call('GET', `/broadcasts/${id}`)).json.status === 'sent';
    await server.until('the broadcast is out', isOut);
    await drained(server);
    await call('PATCH', '/contacts/ann@example.com', { unsubscribed: true });
    const open = await call(
      'POST',
      '/emails',
      message({ to: 'ben@x.test', reply_to: 'ann@example.com', scheduled_at: 'in 1 hour' }),
    );
    await server.until('all is told', async () => receiver.told.length >= 5 && receiver.open === 0);
    const counts = () => call('GET', '/v3/smtp/statistics/aggregatedReport?days=2');
    const [counted, held] = [(await counts()).text, await holding(server, /ann(@example|[ ]smith)/i)];
    assert(held.includes('emails.summary') && held.includes('suppressions.address') && held.length > 5, held.join(' '));

    const erase = () => beside(server, () => recipient(configOf(server), ['erase', 'ANN@example.com']));
    await assert.rejects(erase(), new RegExp(`not settled: ${open.json.id}`));
    await call('POST', `/emails/${open.json.id}/cancel`);
    const said = await erase();
    assert.match(said, /^Erased: 1 emails, 0 contacts, 0 suppressions\./);
    assert.deepEqual(await holding(server, /(?<!jo)ann(@example|[ ]smith)/i), []);
    if (server.databaseUrl.startsWith('sqlite:')) assert.match(said, /Its free pages and its log are gone, too/);

    assert.equal((await counts()).text, counted);
    const again = await call('POST', '/emails', one, key);
    assert.deepEqual([again.json.id, again.headers.get('idempotent-replayed')], [first.json.id, 'true']);
    const mail = await call('GET', `/emails/${first.json.id}`);
    assert.match(mail.json.to[0], /^erased-[0-9a-f]{16}@erased\.invalid$/);
    assert.deepEqual([mail.json.to[1], mail.json.html, mail.json.subject], ['joann@example.com', null, '']);
    const still = await call('POST', '/emails', message({ to: 'ann@example.com' }));
    await drained(server);
    assert.equal((await call('GET', `/emails/${still.json.id}`)).json.last_event, 'suppressed');
    assert.equal((await call('GET', '/suppressions')).json.data.length, 1);
    const contacts = (await call('GET', '/contacts')).json.data;
    assert.deepEqual(
      contacts.map((one: Record<string, unknown>) => one.unsubscribed),
      [false, true],
      'who has left has left',
    );
    assert.equal((await call('DELETE', '/suppressions/ann@example.com')).status, 200);
  });
});

function configOf({ databaseUrl, stateDir }: TestServer) {
  return readConfig({ DATABASE_URL: databaseUrl, STATE_DIR: stateDir, SECRET_KEY: testSecretKey });
}

/** What it prints, while the server goes on with its chores. */
async function beside(server: TestServer, command: () => Promise<void>): Promise<string> {
  let isDone = false;
  const said = printed(command).finally(() => {
    isDone = true;
  });
  said.catch(() => {});
  await server.until('it is done', () => isDone);
  return said;
}

/** Columns that have something that looks so, and files of the database, as they are on the disk. */
async function holding({ databaseUrl }: TestServer, pattern: RegExp): Promise<string[]> {
  const database = await openDatabase(databaseUrl);
  const tables =
    database.engine === 'sqlite' ? "sqlite_master where type = 'table'" : "pg_tables where schemaname = 'public'";
  const found = new Set<string>();
  for (const row of await database.all<{ name?: string; tablename?: string }>(`select * from ${tables}`)) {
    const name = row.name ?? row.tablename;
    for (const one of await database.all<Record<string, unknown>>(`select * from ${name}`)) {
      for (const [column, value] of Object.entries(one)) {
        const text = value instanceof Uint8Array ? Buffer.from(value).toString('latin1') : String(value);
        if (pattern.test(text)) found.add(`${name}.${column}`);
      }
    }
  }
  await database.close();
  const path = databaseUrl.startsWith('sqlite:') ? databaseUrl.slice('sqlite:'.length) : null;
  for (const file of path === null ? [] : [path, `${path}-wal`]) {
    if (existsSync(file) && pattern.test(readFileSync(file).toString('latin1'))) found.add(file);
  }
  return [...found];
}
