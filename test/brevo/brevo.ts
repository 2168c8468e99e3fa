/** The smallest send, and what tests of the Brevo facade ask again and again. */

import assert from 'node:assert/strict';
import PostalMime from 'postal-mime';
import { drained } from '../support/served.ts';
import { type TestReply, type TestServer, testKey } from '../support/server.ts';
import type { Sink } from '../support/smtp-sink.ts';

export const duplicateMessage = 'Email for the idempotency key has already been processed';

/** Valid and short; `change` replaces members. */
export function mail(change: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    sender: { name: 'Acme', email: 'hello@example.com' },
    to: [{ email: 'ann@example.org', name: 'Ann' }],
    subject: 'Hello',
    htmlContent: '<p>Hi</p>',
    ...change,
  };
}

export function withKey(key: string, change: Record<string, unknown> = {}): Record<string, unknown> {
  return mail({ headers: { idempotencyKey: key }, ...change });
}

export function send(server: TestServer, body: unknown, headers: Record<string, string> = {}): Promise<TestReply> {
  return server.call('POST', '/v3/smtp/email', body, asBrevo(headers));
}

/** With the key where Brevo's clients put it. */
export function asBrevo(headers: Record<string, string> = {}): Record<string, string> {
  return { authorization: '', 'api-key': testKey, ...headers };
}

/** Our Message-ID is <the email's id@the sender's domain>. */
export function emailIdOf(messageId: string): string {
  const id = /^<([0-9a-f-]{36})@[^@>]+>$/.exec(messageId)?.[1];
  assert(id, `${messageId} is a Message-ID in angle brackets`);
  return id;
}

/** The ids a 2xx names, one or several. */
export function messageIdsOf(reply: TestReply): string[] {
  assert(reply.status === 201 || reply.status === 202, reply.text);
  return reply.json.messageIds ?? [reply.json.messageId];
}

/** The sink holds the mails with these Message-IDs, each once, and nothing else. */
export async function assertMailed(server: TestServer, sink: Sink, messageIds: readonly string[]): Promise<void> {
  await drained(server);
  assert.equal(new Set(messageIds).size, messageIds.length, 'every mail has an id of its own');
  assert.deepEqual(sink.duplicates(), []);
  assert.deepEqual(sink.received.map(({ messageId }) => messageId).sort(), [...messageIds].sort());
}

/** The mail as a reader sees it. */
export async function readMail(sink: Sink, messageId: string) {
  const received = sink.received.find((one) => one.messageId === messageId);
  assert(received, `the sink has ${messageId}`);
  const read = await PostalMime.parse(received.bytes);
  return {
    raw: received.bytes.toString('latin1'),
    recipients: [...received.to].sort(),
    subject: read.subject,
    html: read.html?.trim(),
    text: read.text?.trim(),
    header: (name: string) => read.headers.find(({ key }) => key === name)?.value,
    files: read.attachments.map(({ filename, mimeType, content }) => [
      filename,
      mimeType,
      Buffer.from(content as ArrayBuffer).toString(),
    ]),
    from: addresses(read.from && [read.from]),
    to: addresses(read.to),
    cc: addresses(read.cc),
    replyTo: addresses(read.replyTo),
  };
}

function addresses(list: { name: string; address?: string }[] = []): string[] {
  return list.map(({ name, address }) => (name ? `${name} <${address}>` : (address ?? '')));
}

/** Refused as Brevo refuses, and nothing was accepted or taken. */
export async function assertRefused(
  server: TestServer,
  body: unknown,
  expected: { code?: string; status?: number; message?: string | RegExp },
): Promise<TestReply> {
  const reply = await send(server, body);
  const { code = 'invalid_parameter', status = 400, message } = expected;
  assert.deepEqual([reply.status, reply.json?.code], [status, code], reply.text);
  assert.deepEqual(Object.keys(reply.json).slice(0, 2), ['code', 'message']);
  if (typeof message === 'string') assert.equal(reply.json.message, message);
  if (message instanceof RegExp) assert.match(reply.json.message, message);
  return reply;
}
