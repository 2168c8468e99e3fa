/** A server whose relay is a real SMTP sink, and what tests ask about both. */

import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { anyDomain, firstAccount } from '../../src/core/account.ts';
import { hashToken } from '../../src/core/token.ts';
import { insertGrant } from '../../src/store/account-domains.ts';
import { ensureAccount } from '../../src/store/accounts.ts';
import { insertApiKey, type Permission } from '../../src/store/api-keys.ts';
import { openDatabase } from './engine.ts';
import { noneOpen } from './open.ts';
import { startTestServer, type TestServer, type TestServerOptions } from './server.ts';
import { type Sink, startSink } from './smtp-sink.ts';

export type Served = { server: TestServer; sink: Sink };

/** Both end with the test. */
export async function serve(t: TestContext, options: TestServerOptions = {}): Promise<Served> {
  const sink = await startSink();
  const environment = { RELAY_URL: `smtp://127.0.0.1:${sink.port}`, ...options.environment };
  const server = await startTestServer({ ...options, environment });
  t.after(async () => {
    await server.stop();
    await sink.close();
  });
  return { server, sink };
}

/** Resolves when nothing is queued or under way any more, scheduled mails included. */
export async function drained(server: TestServer): Promise<void> {
  await server.until('every delivery is settled', async () => {
    const { text } = await server.call('GET', '/metrics');
    return noneOpen(text);
  });
}

/** Subjects of what the sink took, as often as it took them. */
export function subjects(sink: Sink): string[] {
  return sink.received.map(({ bytes }) => /^subject: (.*)$/im.exec(bytes.toString('latin1'))?.[1]?.trim() ?? '');
}

/** The sink holds exactly these emails, each once. */
export async function assertSentOnce(server: TestServer, sink: Sink, emailIds: readonly string[]): Promise<void> {
  await drained(server);
  const ids = new Set(emailIds);
  assert.equal(ids.size, emailIds.length, 'every email has an id of its own');
  assert.deepEqual(sink.duplicates(), []);
  // Our Message-ID is <the email's id@the sender's domain>.
  const taken = sink.received.map(({ messageId }) => messageId.slice(1, messageId.indexOf('@')));
  assert.deepEqual(taken.sort(), [...ids].sort());
}

/** Another API key, written beside the running server as the command line does. */
export async function addApiKey(
  server: TestServer,
  token: string,
  account: string,
  permission: Permission = 'full_access',
): Promise<string> {
  const database = await openDatabase(server.databaseUrl);
  await database.write(async (tx) => {
    await ensureAccount(tx, account, server.clock.now());
    if (account !== firstAccount) await insertGrant(tx, { account, domain: anyDomain }, server.clock.now());
    const key = { account, id: token, name: token, permission, createdAt: server.clock.now() };
    await insertApiKey(tx, hashToken(token), key);
  });
  await database.close();
  return token;
}

/** Every email the account has, newest first, through all pages. */
// biome-ignore lint/suspicious/noExplicitAny: replies are looked into, member by member, by the assertions of the tests.
export async function allEmails(server: TestServer, headers: Record<string, string> = {}): Promise<any[]> {
  const emails = [];
  for (let after = ''; ; ) {
    const { json } = await server.call('GET', `/emails?limit=100${after}`, undefined, headers);
    emails.push(...json.data);
    if (!json.has_more) return emails;
    after = `&after=${json.data.at(-1).id}`;
  }
}
