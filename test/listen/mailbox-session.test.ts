/** A session with a mailbox: tokens instead of a password, and certificates of an authority of one's own. */

import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { describe, it, type TestContext } from 'node:test';
import { parseImapUrl } from '../../src/config/imap-url.ts';
import { MailboxError, openMailbox, openMailboxTokens } from '../../src/listen/mailbox/session.ts';
import { testCertificate, testCertificateKey } from '../support/certificate.ts';
import { ImapServer, type ImapServerOptions } from '../support/imap-server.ts';
import { createTemp } from '../support/temp.ts';
import { startTokenServer } from '../support/token-server.ts';

const clientSecret = 'hunter2-is-the-secret';
const patience = { connectMs: 5_000 };

async function startImap(t: TestContext, options: ImapServerOptions): Promise<ImapServer> {
  const imap = await new ImapServer(options).start();
  t.after(() => imap.stop());
  return imap;
}

async function startWithTokens(t: TestContext) {
  const tokens = await startTokenServer({ clientSecret, refreshToken: 'first' });
  t.after(() => tokens.close());
  const imap = await startImap(t, { takesToken: (token) => tokens.isGood(token) });
  const urlFor = (secret: string) =>
    `${imap.url}&auth=xoauth2&client_id=us&client_secret=${secret}&refresh_token=first&token_url=${encodeURIComponent(tokens.url)}`;
  return { tokens, imap, urlFor };
}

async function errorOf(work: () => Promise<unknown>): Promise<MailboxError> {
  const error = await work().then(
    () => null,
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof MailboxError, String(error));
  return error;
}

describe('a mailbox that takes tokens', () => {
  it('is opened with one, again with the same, and with a new one where that was revoked', async (t) => {
    const { tokens, imap, urlFor } = await startWithTokens(t);
    const server = parseImapUrl(urlFor(clientSecret));
    const kept = openMailboxTokens(server);
    for (const asked of [1, 1, 2]) {
      if (asked === 2) tokens.revokeAll();
      const session = await openMailbox(server, patience, kept);
      assert.deepEqual(await session.listAfter(0), []);
      await session.close();
      assert.equal(tokens.requests.length, asked);
    }
    assert.equal(imap.logins, 3);
  });

  it('refuses in words that have neither token nor secret', async (t) => {
    const { imap, urlFor } = await startWithTokens(t);
    const wrong = await errorOf(() => openMailbox(parseImapUrl(urlFor('no-secret-of-it')), patience));
    assert.equal(wrong.kind, 'login');
    assert.match(wrong.message, /^The token server said 401 invalid_client/);
    assert.doesNotMatch(wrong.message, /no-secret-of-it/);
    Object.assign(imap.options, { takesToken: () => false });
    const refused = await errorOf(() => openMailbox(parseImapUrl(urlFor(clientSecret)), patience));
    assert.equal(refused.kind, 'login');
    assert.doesNotMatch(refused.message, /token-\d/);
  });
});

describe('a mailbox behind a certificate of its own', () => {
  it('is opened where the authority is named, and otherwise not', async (t) => {
    const temp = createTemp();
    t.after(() => temp.remove());
    const imap = await startImap(t, { tls: { key: testCertificateKey, cert: testCertificate } });
    const untrusted = await errorOf(() => openMailbox(parseImapUrl(imap.url), patience));
    assert.equal(untrusted.kind, 'tls');
    assert.equal(imap.logins, 0);
    writeFileSync(temp.path('own.pem'), testCertificate);
    const url = `${imap.url}ca_file=${encodeURIComponent(temp.path('own.pem'))}`;
    const session = await openMailbox(parseImapUrl(url), patience);
    assert.equal(session.isSecure, true);
    await session.close();
  });
});
