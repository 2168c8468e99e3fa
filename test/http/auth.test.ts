/** How long what a connection's key was found to be is believed. */

import assert from 'node:assert/strict';
import type { IncomingMessage } from 'node:http';
import { after, before, it } from 'node:test';
import { firstAccount } from '../../src/core/account.ts';
import { createAuth, createKeyCheck } from '../../src/http/auth.ts';
import type { Guesses } from '../../src/http/guesses.ts';
import { findAccount } from '../../src/store/account-rules.ts';
import type { Database } from '../../src/store/database.ts';
import { createApiKeys } from '../../src/use-cases/api-keys.ts';
import { newMigratedUrl, openDatabase } from '../support/engine.ts';
import { createTemp } from '../support/temp.ts';

const cacheMs = 300;
const temp = createTemp();
let database: Database;

before(async () => {
  database = await openDatabase(await newMigratedUrl(temp));
});
after(async () => {
  await database.close();
  temp.remove();
});

it('a revoked key is believed for as long as it may be and no longer, however slowly the account is read', async () => {
  const keys = createApiKeys(database, { now: Date.now });
  const { id, token } = await keys.make({ account: firstAccount, name: 'ours', permission: 'full_access' });
  let readingMs = 0;
  const check = createKeyCheck({
    reader: database,
    bootstrap: null,
    cacheMs,
    guesses: { admit: async () => {}, failed() {}, succeeded() {} } as unknown as Guesses,
    rules: {
      async find(name) {
        await passed(readingMs);
        return findAccount(database, name);
      },
    },
  });
  const auth = createAuth(check, () => '127.0.0.1');
  const over = (socket: object) => ({ socket, headers: { authorization: `Bearer ${token}` } }) as IncomingMessage;
  const [quick, slow] = [{}, {}];
  await auth(over(quick));
  readingMs = cacheMs + 50;
  await auth(over(slow));
  await keys.revoke(id);
  await assert.rejects(async () => auth(over(slow)), /API key is invalid/);
  await assert.rejects(async () => auth(over(quick)), /API key is invalid/);
});

it('a key is not looked up again while it is believed', async () => {
  const keys = createApiKeys(database, { now: Date.now });
  const { token } = await keys.make({ account: firstAccount, name: 'ours', permission: 'full_access' });
  let reads = 0;
  const check = createKeyCheck({
    reader: {
      all(sql, ...params) {
        reads += 1;
        return database.all(sql, ...params);
      },
    },
    bootstrap: null,
    cacheMs: 60_000,
    guesses: { admit: async () => {}, failed() {}, succeeded() {} } as unknown as Guesses,
    rules: { find: (name) => findAccount(database, name) },
  });
  const auth = createAuth(check, () => '127.0.0.1');
  const incoming = { socket: {}, headers: { 'api-key': token } } as unknown as IncomingMessage;
  await auth(incoming);
  await auth(incoming);
  assert.equal(reads, 1);
});

function passed(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
