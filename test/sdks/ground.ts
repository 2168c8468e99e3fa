/** What every SDK is pointed at: a server, a mail sink, mails in every state, and a way that loses answers. */

import { readFileSync } from 'node:fs';
import type { TestContext } from 'node:test';
import { startLossyProxy } from '../support/lossy-proxy.ts';
import { drained, serve } from '../support/served.ts';
import { message, type TestServer, testKey } from '../support/server.ts';
import type { Sink } from '../support/smtp-sink.ts';
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
  await makeFixtures(server);
  const url = isSpoiled ? await startSpoiler(scope, server.url) : server.url;
  let posts = 0;
  // Each script asks it twice.
  const lossy = await startLossyProxy(scope, server.url, () => {
    posts += 1;
    return posts % 2 === 1;
  });
  const PROXY_FLAGS = store === null ? '' : await proxyFlags(scope, store, (isLost) => (isLost ? lossy.url : url));
  const environment = { SENDONCE_URL: url, SENDONCE_KEY: testKey, LOSSY_URL: lossy.url, PROXY_FLAGS };
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

/** So that readers who check every enum and every null meet all of them. */
async function makeFixtures(server: TestServer): Promise<void> {
  const send = (change: Record<string, unknown>) => server.call('POST', '/emails', message(change));
  await server.call('POST', '/suppressions', { email: 'blocked@example.com' });
  const { json: bounced } = await send({ to: ['bounced@resend.dev'], subject: 'bounces' });
  await send({ to: ['complained@resend.dev'], subject: 'is complained of' });
  await send({ to: ['blocked@example.com'], subject: 'is suppressed' });
  const { json: later } = await send({ scheduled_at: 'in 1 hour', subject: 'is canceled' });
  await server.call('POST', `/emails/${later.id}/cancel`);
  await server.until('a bounce is known', async () => {
    const { json } = await server.call('GET', `/emails/${bounced.id}`);
    return json.last_event === 'bounced';
  });
}

/** A subject that begins with `once:` is to leave exactly once, however often it was asked for. */
async function countMails(server: TestServer, sink: Sink): Promise<string[]> {
  const counts = new Map<string, number>();
  await drained(server);
  for (const { bytes } of sink.received) {
    const subject = /^subject: (.*)$/im.exec(bytes.toString('latin1'))?.[1]?.trim() ?? '';
    if (subject.startsWith('once:')) counts.set(subject, (counts.get(subject) ?? 0) + 1);
  }
  if (counts.size === 0) return ['nothing has left'];
  return [...counts].filter(([, count]) => count !== 1).map(([subject, count]) => `${subject}: ${count} times`);
}
