/** What every SDK is pointed at: a server, a mail sink, mails in every state, and a way that loses answers. */

import { readFileSync } from 'node:fs';
import type { TestContext } from 'node:test';
import { startLossyProxy } from '../support/lossy-proxy.ts';
import { noneOpen } from '../support/open.ts';
import { type Receiver, startReceiver } from '../support/receiver.ts';
import { serve } from '../support/served.ts';
import { message, type TestServer, testKey } from '../support/server.ts';
import type { Sink } from '../support/smtp-sink.ts';
import { modes } from '../support/smtp-sink-modes.ts';
import { type Scope, startSpoiler } from './spoiler.ts';
import { startTlsProxy } from './tls-proxy.ts';

export type Ground = {
  /** What the scripts find in their environment. */
  environment: Record<string, string>;
  /** Subjects of mails that were to leave once and have not, or have left more often. */
  countMails(): Promise<string[]>;
};

/** `store`: key and certificate for an SDK that has to be led here by a proxy. */
type GroundOptions = { isSpoiled: boolean; store: string | null };

export async function makeGround(scope: Scope, { isSpoiled, store }: GroundOptions): Promise<Ground> {
  // Of a test's context it needs no more than `after`.
  const { server, sink } = await serve(scope as TestContext);
  const { fixtures, hook } = await makeFixtures(scope, server, sink);
  const url = isSpoiled ? await startSpoiler(scope, server.url) : server.url;
  let posts = 0;
  // Each script asks it twice.
  const lossy = await startLossyProxy(scope, server.url, () => {
    posts += 1;
    return posts % 2 === 1;
  });
  const PROXY_FLAGS = store === null ? '' : await proxyFlags(scope, store, (isLost) => (isLost ? lossy.url : url));
  const ways = { SENDONCE_URL: url, SENDONCE_KEY: testKey, LOSSY_URL: lossy.url, PROXY_FLAGS };
  const environment = { ...ways, FIXTURES: fixtures, ...hook };
  return { environment, countMails: () => countMails(server, sink) };
}

/** For a Java program. What has a key that ends in `/lost` takes the way that loses answers. */
async function proxyFlags(scope: Scope, store: string, wayOf: (isLost: boolean) => string): Promise<string> {
  const isLost = (key: unknown) => typeof key === 'string' && key.endsWith('/lost');
  const port = await startTlsProxy(scope, readFileSync(store), ({ headers }) =>
    wayOf(isLost(headers['idempotency-key'])),
  );
  const trust = `-Djavax.net.ssl.trustStore=${store} -Djavax.net.ssl.trustStorePassword=secret`;
  return `-Dhttps.proxyHost=127.0.0.1 -Dhttps.proxyPort=${port} ${trust}`;
}

/** So that readers who check every enum and every null meet all of them: `name=id` of each, and a webhook that was told of one. */
async function makeFixtures(
  scope: Scope,
  server: TestServer,
  sink: Sink,
): Promise<{ fixtures: string; hook: Record<string, string> }> {
  const receiver = await startReceiver(null);
  scope.after(() => receiver.close());
  const events = ['email.sent', 'email.bounced', 'email.suppressed'];
  const { json: hook } = await server.call('POST', '/webhooks', { endpoint: receiver.url, events });
  const fixtures = await sendFixtures(server, sink);
  const named = Object.entries(fixtures).map(([name, id]) => `${name}=${id}`);
  return { fixtures: named.join(), hook: await hookOf(server, receiver, hook.signing_secret) };
}

async function sendFixtures(server: TestServer, sink: Sink): Promise<Record<string, string>> {
  const send = async (change: Record<string, unknown>): Promise<string> =>
    (await server.call('POST', '/emails', message(change))).json.id;
  await server.call('POST', '/suppressions', { email: 'blocked@example.com' });
  sink.behave = () => modes.acceptThenDrop;
  const doubtful = await send({ subject: 'is in doubt' });
  await server.until('a doubt is known', async () => {
    const { json } = await server.call('GET', '/in-doubt');
    return json.data.length === 1;
  });
  sink.behave = () => modes.accept;
  const bounced = await send({ to: ['bounced@resend.dev'], subject: 'bounces' });
  const complained = await send({ to: ['complained@resend.dev'], subject: 'is complained of' });
  const suppressed = await send({ to: ['blocked@example.com'], subject: 'is suppressed' });
  const half = await send({ to: ['blocked@example.com', 'ann@example.org'], subject: 'is suppressed in part' });
  const canceled = await send({ scheduled_at: 'in 1 hour', subject: 'is canceled' });
  await server.call('POST', `/emails/${canceled}/cancel`);
  await server.until('a bounce is known', async () => {
    const { json } = await server.call('GET', `/emails/${bounced}`);
    return json.last_event === 'bounced';
  });
  return { doubtful, bounced, complained, suppressed, 'partly suppressed': half, canceled };
}

/** What the endpoint was told of a bounce, as a script is given it to verify. */
async function hookOf(server: TestServer, { told }: Receiver, secret: string): Promise<Record<string, string>> {
  await server.until('the bounce is told', () => told.some(({ json }) => json.type === 'email.bounced'));
  const bounce = told.find(({ json }) => json.type === 'email.bounced');
  const header = (name: string) => String(bounce?.headers[`svix-${name}`] ?? '');
  return {
    HOOK_BODY: bounce?.body ?? '',
    HOOK_SECRET: secret,
    HOOK_ID: header('id'),
    HOOK_TIMESTAMP: header('timestamp'),
    HOOK_SIGNATURE: header('signature'),
  };
}

/** A subject with the word `once` is to leave exactly once, however often it was asked for. */
async function countMails(server: TestServer, sink: Sink): Promise<string[]> {
  const counts = new Map<string, number>();
  // One is in doubt, and stays so.
  await server.until('all that may leave has left', async () => {
    const { text } = await server.call('GET', '/metrics');
    return noneOpen(text, ['queued', 'sending', 'handoff']);
  });
  for (const { bytes } of sink.received) {
    const subject = /^subject: (.*)$/im.exec(bytes.toString('latin1'))?.[1]?.trim() ?? '';
    if (/\bonce\b/.test(subject)) counts.set(subject, (counts.get(subject) ?? 0) + 1);
  }
  if (counts.size === 0) return ['nothing has left'];
  return [...counts].filter(([, count]) => count !== 1).map(([subject, count]) => `${subject}: ${count} times`);
}
