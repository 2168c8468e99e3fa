/** A key is looked up before its request is looked at: a retry is answered although the world has changed. */

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, it, type TestContext } from 'node:test';
import { limits } from '../../src/config/limits.ts';
import type { Message } from '../../src/core/email.ts';
import { createIdSource } from '../../src/core/token.ts';
import { singleEndpoint } from '../../src/http/resend/endpoints.ts';
import { parseSend } from '../../src/http/resend/parse.ts';
import { Renderer } from '../../src/render/renderer.ts';
import type { Database, SqlValue } from '../../src/store/database.ts';
import { Accepting } from '../../src/use-cases/accept.ts';
import { createAccountRules } from '../../src/use-cases/account-rules.ts';
import { createKeyUses } from '../../src/use-cases/key-uses.ts';
import type { Submission } from '../../src/use-cases/submission.ts';
import { bendDatabase } from '../support/bent-database.ts';
import { createTestClock } from '../support/clock.ts';
import { newMigratedUrl, onlyOnSqlite, openDatabase } from '../support/engine.ts';
import { serve } from '../support/served.ts';
import { message, type TestServer } from '../support/server.ts';
import { createTemp } from '../support/temp.ts';

const hour = 60 * 60_000;

function send(server: TestServer, key: string, change: Record<string, unknown>) {
  return server.call('POST', '/emails', message(change), { 'idempotency-key': key });
}

/** A file that can be fetched once. */
async function startVanishingFile(t: TestContext): Promise<string> {
  let asked = 0;
  const http = createServer((_, response) => {
    asked += 1;
    response.writeHead(asked === 1 ? 200 : 404, { 'content-type': 'application/pdf' }).end('bytes');
  });
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  t.after(() => http.close());
  return `http://127.0.0.1:${(http.address() as AddressInfo).port}/report.pdf`;
}

describe('a retry gets the first answer', () => {
  it('when its scheduled time is over by now', async (t) => {
    const { server } = await serve(t);
    const change = { scheduled_at: new Date(server.clock.now() + hour).toISOString() };
    const first = await send(server, 'retried', change);
    assert.equal(first.status, 200, first.text);
    server.clock.advance(12 * hour);
    const again = await send(server, 'retried', change);
    assert.deepEqual([again.status, again.text], [200, first.text]);
    assert.equal(again.headers.get('idempotent-replayed'), 'true');
    // Under a key of its own the same request is refused: looking at it first would have refused the retry.
    assert.equal((await send(server, 'another', change)).status, 422);
  });

  it('when its attachment is gone by now', async (t) => {
    const { server } = await serve(t);
    const change = { attachments: [{ path: await startVanishingFile(t), filename: 'report.pdf' }] };
    const first = await send(server, 'retried', change);
    assert.equal(first.status, 200, first.text);
    const again = await send(server, 'retried', change);
    assert.deepEqual([again.status, again.text], [200, first.text]);
    assert.deepEqual((await send(server, 'another', change)).json.name, 'invalid_attachment');
  });
});

describe('ids', () => {
  const because = 'the page’s index goes by it where one process writes; on PostgreSQL it stays behind';

  it('are written in order, however long their requests are prepared', onlyOnSqlite(because), async (t) => {
    const written: string[] = [];
    const noting = (own: Database) => bendDatabase(own, [{ when: 'insert into emails', params: note }]);
    const note = (params: SqlValue[]) => {
      written.push(String(params[1]));
      return params;
    };
    const accepting = await openAccepting(t, noting);
    const accept = async (index: number) => {
      const found = await accepting.lookUp({ ...request, key: `key ${index}` });
      assert(found.kind === 'new');
      return accepting.commit(found, prepareIn((index * 7) % 11));
    };
    await Promise.all(Array.from({ length: 50 }, (_, index) => accept(index)));
    assert.equal(new Set(written).size, 50);
    assert.deepEqual(written, [...written].sort());
  });
});

const request = {
  account: 'default',
  endpoint: singleEndpoint,
  body: Buffer.from('{}'),
  json: {},
  mode: '',
  client: null,
  attempt: null,
  origin: {},
  keyDomain: null,
};

/** After so many turns of the queue of promises. */
async function prepareIn(turns: number): Promise<Submission> {
  for (let turn = 0; turn < turns; turn += 1) await null;
  return { messages: [parseSend(message(), 0) as Message], answer: () => ({ status: 200, body: '' }) };
}

async function openAccepting(t: TestContext, around: (own: Database) => Database): Promise<Accepting> {
  const temp = createTemp();
  const own = await openDatabase(await newMigratedUrl(temp));
  t.after(async () => {
    await own.close();
    temp.remove();
  });
  const database = around(own);
  const nextId = createIdSource(randomBytes);
  const clock = createTestClock();
  return new Accepting({
    keyLifetimeMs: null,
    database,
    clock,
    nextId,
    keyUses: createKeyUses(database),
    rules: createAccountRules({ reader: database, cacheMs: 0, firstNeedsGrant: false }),
    renderer: new Renderer(limits),
    onQueued() {},
  });
}
