/** Another request under the key of a large mail: it is told what differs, and the mail is not read for it. */

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Database } from '../../src/store/database.ts';
import { message, startTestServer } from '../support/server.ts';

/** All that a server may read of a mail that it compares. */
const bytesReadMax = 10_000;

describe('another request under the key of a large mail', () => {
  test('is told what differs, and nothing large is read for it', async (t) => {
    const read = { bytes: 0 };
    const environment = { ROLE: 'api' };
    const server = await startTestServer({ environment, outside: { database: (own) => counting(own, read) } });
    t.after(() => server.stop());
    // One is compared on the serving thread, the other beside it.
    for (const size of [200_000, 1_500_000]) {
      const html = `<p>${'a'.repeat(size)}</p>`;
      const file = (byte: number) => ({ filename: 'a.bin', content: Buffer.alloc(size, byte).toString('base64') });
      const first = message({ html, text: null, attachments: [file(1), file(2)] });
      const send = (change: object) =>
        server.call('POST', '/emails', { ...first, ...change }, { 'idempotency-key': `large/${size}` });
      assert.equal((await send({})).status, 200);
      read.bytes = 0;
      const fieldsOf = async (change: object) => (await send(change)).json.different_fields;
      assert.deepEqual(await fieldsOf({ subject: 'other' }), ['subject']);
      assert.deepEqual(await fieldsOf({ html: html.replace('a</p>', 'b</p>') }), ['html']);
      assert.deepEqual(await fieldsOf({ html: 'short', text: html }), ['html', 'text']);
      assert.deepEqual(await fieldsOf({ attachments: [file(1), file(3)] }), ['attachments']);
      assert.deepEqual(await fieldsOf({ attachments: [file(1)], html: undefined, text: 'x' }), [
        ...['html', 'text', 'attachments'],
      ]);
      assert.deepEqual(await fieldsOf({ ignored: true }), []);
      assert(read.bytes < bytesReadMax, `${read.bytes} bytes were read`);
    }
  });
});

/** Counts what is read of a database. */
function counting(own: Database, read: { bytes: number }): Database {
  const counted = <R>(rows: R[]): R[] => {
    for (const row of rows) {
      for (const value of Object.values(row as object))
        read.bytes += (value as { length?: number } | null)?.length ?? 0;
    }
    return rows;
  };
  return {
    engine: own.engine,
    all: async (sql, ...params) => counted(await own.all(sql, ...params)),
    report: async (sql, ...params) => counted(await own.report(sql, ...params)),
    write: (work, terms) => own.write(work, terms),
    wall: () => own.wall(),
    announce: () => own.announce(),
    onAnnounced: (listener) => own.onAnnounced(listener),
    emptyLog: () => own.emptyLog(),
    close: () => own.close(),
  };
}
