/** A mail sent over HTTP, and what became of it: what the tests from POST to the verdict start from. */

import assert from 'node:assert/strict';
import { queue } from '../../src/command/queue.ts';
import { readConfig } from '../../src/config/config.ts';
import { printed } from '../support/printed.ts';
import { message, type TestServer } from '../support/server.ts';

export async function send(server: TestServer, change: Record<string, unknown> = {}): Promise<string> {
  const { status, json } = await server.call('POST', '/emails', message(change));
  assert.equal(status, 200);
  return json.id;
}

export async function lastEvent(server: TestServer, id: string): Promise<string> {
  return (await server.call('GET', `/emails/${id}`)).json.last_event;
}

export function untilEvent(server: TestServer, id: string, event: string): Promise<void> {
  return server.until(`it is ${event}`, async () => (await lastEvent(server, id)) === event);
}

/** What the operator types, on the database of a running server. */
export function runQueue(server: TestServer, ...words: string[]): Promise<string> {
  return printed(() => queue(readConfig({ DATABASE_URL: server.databaseUrl }), words));
}
