/** A server, a relay that takes mail, and one endpoint that is told of it: what the webhook tests start from. */

import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { Resend } from 'resend';
import { type Receiver, startReceiver } from '../support/receiver.ts';
import { type Served, serve } from '../support/served.ts';
import { message, type TestServer, testKey } from '../support/server.ts';

export type WebhookName = Parameters<Resend['webhooks']['create']>[0]['events'][number];

export const everything: WebhookName[] = [
  'email.sent',
  'email.scheduled',
  'email.delivered',
  'email.delivery_delayed',
  'email.bounced',
  'email.complained',
  'email.failed',
  'email.suppressed',
];

export type Stage = Served & { receiver: Receiver; resend: Resend; webhook: { id: string; signing_secret: string } };

export async function stage(t: TestContext, events = everything): Promise<Stage> {
  const receiver = await startReceiver(t);
  const served = await serve(t);
  const resend = new Resend(testKey, { baseUrl: served.server.url });
  const { data, error } = await resend.webhooks.create({ endpoint: `${receiver.url}/hook`, events });
  assert.equal(error, null);
  assert(data);
  return { ...served, receiver, resend, webhook: data };
}

export async function send(server: TestServer, change: Record<string, unknown> = {}): Promise<string> {
  const { status, json, text } = await server.call('POST', '/emails', message(change));
  assert.equal(status, 200, text);
  return json.id;
}

/** Until nothing is left to be told. Seen twice: mails and webhooks are not counted in the same moment. */
export async function told(server: TestServer): Promise<void> {
  await server.until('every webhook was told', async () => (await nothingIsOpen(server)) && nothingIsOpen(server));
}

async function nothingIsOpen(server: TestServer): Promise<boolean> {
  const { text } = await server.call('GET', '/metrics');
  return /^sendonce_webhook_deliveries_pending 0$/m.test(text) && !/^sendonce_open_deliveries\{.*\} [^0]/m.test(text);
}
