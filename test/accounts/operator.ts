/** What an operator types beside a running server, and what clients of an account ask of it. */

import assert from 'node:assert/strict';
import { account } from '../../src/command/account.ts';
import { key } from '../../src/command/key.ts';
import { readConfig } from '../../src/config/config.ts';
import { printed } from '../support/printed.ts';
import { message, type TestReply, type TestServer } from '../support/server.ts';

/** Nothing is remembered: what the operator says counts at once. */
export const heardAtOnce = { limits: { apiKeyCacheMs: 0, accountCacheMs: 0 } };

/** `sendonce account …`, as it is typed. */
export function operate(server: TestServer, words: string, flags: Record<string, string> = {}): Promise<string> {
  return printed(() => account(configOf(server), words.split(' '), flags));
}

export async function makeKey(server: TestServer, name: string, permission = 'full_access'): Promise<string> {
  const words = await printed(() => key(configOf(server), ['create'], { account: name, permission }));
  return /^re_\w{32}/.exec(words)?.[0] ?? '';
}

function configOf({ databaseUrl }: TestServer) {
  return readConfig({ DATABASE_URL: databaseUrl });
}

export type Client = {
  key: string;
  call(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<TestReply>;
  /** By Resend's API. */
  send(change?: Record<string, unknown>, headers?: Record<string, string>): Promise<TestReply>;
  /** By Brevo's. */
  sendBrevo(email: string): Promise<TestReply>;
};

export function clientOf(server: TestServer, token: string): Client {
  const call: Client['call'] = (method, path, body, headers) =>
    server.call(method, path, body, { authorization: `Bearer ${token}`, ...headers });
  return {
    key: token,
    call,
    send: (change = {}, headers = {}) => call('POST', '/emails', message(change), headers),
    sendBrevo: (email) =>
      call('POST', '/v3/smtp/email', {
        sender: { email },
        to: [{ email: 'foo@gmail.com' }],
        subject: 'hello world',
        textContent: 'it works',
      }),
  };
}

/**
 * A client of an account that was made for it, and may send from these domains. Over HTTP: a command opens the database anew, which
 * on PostgreSQL takes longer than most tests.
 */
export async function newAccount(server: TestServer, name: string, ...domains: string[]): Promise<Client> {
  const post = async (path: string, body: unknown) => {
    const { status, json, text } = await server.call('POST', path, body);
    assert.equal(status, 201, text);
    return json;
  };
  await post('/accounts', { name });
  for (const domain of domains) await post(`/accounts/${name}/domains`, { domain });
  return clientOf(server, (await post(`/accounts/${name}/keys`, {})).token);
}
