/** What `sendonce doctor` says of a relay, which it asks all that the server would ask before the first mail. */

import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { doctor } from '../src/command/doctor.ts';
import { examineConfig } from '../src/config/config.ts';
import { discardDatabase, newDatabaseUrl } from './support/engine.ts';
import { printed } from './support/printed.ts';
import { type SinkOptions, startSink } from './support/smtp-sink.ts';
import { createTemp } from './support/temp.ts';

const auth = { user: 'me', pass: 'right-one' };

/** Its line about the relay. `url` gets the address of a sink that is made like this. */
async function lineOf(t: TestContext, url: (host: string) => string, options: SinkOptions = {}): Promise<string> {
  const sink = await startSink(options);
  const temp = createTemp();
  const database = await newDatabaseUrl(temp);
  t.after(async () => {
    await sink.close();
    await discardDatabase(database);
    temp.remove();
  });
  const settings = { DATABASE_URL: database, STATE_DIR: temp.path('.'), RELAY_URL: url(`127.0.0.1:${sink.port}`) };
  const before = process.exitCode;
  const said = await printed(() => doctor(examineConfig(settings)));
  process.exitCode = before;
  assert.equal(sink.count, 0, 'nothing was sent');
  return /^.*\brelay 127.*$/m.exec(said)?.[0] ?? said;
}

describe('doctor and the relay', () => {
  it('agree where the login works', async (t) => {
    const line = await lineOf(t, (host) => `smtp://me:right-one@${host}?starttls=never`, { auth });
    assert.match(line, /^ok +relay \S+ answers, no TLS: .*, me is logged in$/);
    assert.match(await lineOf(t, (host) => `smtp://${host}?starttls=never`), /^ok +relay \S+ answers, no TLS/);
    const forgotten = await lineOf(t, (host) => `smtp://${host}?starttls=never`, { auth });
    assert.match(
      forgotten,
      /no login: it offers one, and may take no mail without \(user and password in RELAY_URL\)$/,
    );
  });

  it('differ over a wrong password, which is not told', async (t) => {
    const line = await lineOf(t, (host) => `smtp://me:wrong-one@${host}?starttls=never`, { auth });
    assert.match(
      line,
      /^FAIL +relay \S+: it refuses the login \(AUTH: .*535.*\)\. Check user and password in RELAY_URL/,
    );
    assert.doesNotMatch(line, /wrong-one/);
  });

  it('differ where there is no TLS, no login, or TLS that nobody should trust', async (t) => {
    const required = await lineOf(t, (host) => `smtp://${host}?starttls=required`);
    assert.match(required, /^FAIL .*: it offers no TLS \(TLS: STARTTLS is not offered.*Try smtps:\/\/ and port 465/);
    const noLogin = await lineOf(t, (host) => `smtp://me:right-one@${host}?starttls=never`);
    assert.match(noLogin, /^FAIL .*: it takes no login on this port .*submission port/);
    const unknown = await lineOf(t, (host) => `smtp://${host}?starttls=required`, { tls: 'starttls' });
    assert.match(unknown, /^FAIL .*certificate is not accepted .*NODE_EXTRA_CA_CERTS/);
  });

  it('differ where the port speaks otherwise than the URL says', async (t) => {
    const plain = await lineOf(t, (host) => `smtps://${host}`);
    assert.match(
      plain,
      /^FAIL .*does not begin with TLS \(TLS: wrong version number\)\. Write smtp:\/\/ instead of smtps:\/\//,
    );
    const turnedAway = await lineOf(t, (host) => `smtp://${host}`, { greet: () => ({ say: '554 go away\r\n' }) });
    assert.match(turnedAway, /^FAIL .*: it turns this server away \(connection: Invalid greeting: 554 go away\)/);
    const leaves = await lineOf(t, (host) => `smtp://${host}`, { greet: () => ({ leave: 'close' }) });
    assert.match(leaves, /^FAIL .*: it ends the session \(connection: .*\)\. Its log may say why\./);
    const gone = await lineOf(t, () => 'smtp://127.0.0.1:1');
    assert.match(gone, /^FAIL .*: it cannot be reached .*Nothing listens there/);
  });
});
