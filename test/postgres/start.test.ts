/** Starting against a PostgreSQL that cannot be used: at once where waiting mends nothing, and with the cause. */

import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import { describe, it, type TestContext } from 'node:test';
import { TLSSocket } from 'node:tls';
import { openPostgres } from '../../src/store/engine/postgres/postgres.ts';
import { startProgram } from '../lab/program.ts';
import { testCertificate, testCertificateKey } from '../support/certificate.ts';
import { startPostgresProxy } from '../support/postgres-proxy.ts';
import { sharedPostgres } from '../support/postgres-server.ts';
import { createTemp } from '../support/temp.ts';
import { ask } from './pooled.ts';

/** Far less than a server that is starting is waited for. */
const atOnceMs = 30_000;

async function refusedAtOnce(url: string, reason: RegExp): Promise<void> {
  const startedAt = performance.now();
  await assert.rejects(openPostgres({ url }), reason);
  const tookMs = performance.now() - startedAt;
  assert.ok(tookMs < atOnceMs, `it took ${tookMs} ms`);
}

/** Encrypts as PostgreSQL does when it is asked to, and says nothing more. */
async function startTls(t: TestContext): Promise<number> {
  const server = net.createServer((socket) => {
    socket.on('error', () => {});
    socket.once('data', () => {
      socket.write('S');
      const secure = new TLSSocket(socket, { isServer: true, key: testCertificateKey, cert: testCertificate });
      secure.on('error', () => socket.destroy());
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  return (server.address() as net.AddressInfo).port;
}

describe('a start on PostgreSQL', () => {
  it('is refused at once by a server without TLS', async (t) => {
    const proxy = await startPostgresProxy(await (await sharedPostgres()).createDatabase());
    t.after(() => proxy.close());
    await refusedAtOnce(`${proxy.url}?sslmode=verify-full`, /does not support SSL/);
  });

  it("is refused at once where the certificate is nobody's we know, or the file of those we know is missing", async (t) => {
    const url = `postgres://postgres@127.0.0.1:${await startTls(t)}/sendonce?sslmode=verify-full`;
    await refusedAtOnce(url, /self-signed certificate/);
    await refusedAtOnce(`${url}&sslrootcert=/nowhere/ca.pem`, /ENOENT.*\/nowhere\/ca\.pem/);
  });

  it('waits for a server that is not there yet', async (t) => {
    const proxy = await startPostgresProxy(await (await sharedPostgres()).createDatabase());
    t.after(() => proxy.close());
    proxy.setDown(true);
    const reason = /^PostgreSQL cannot be reached: /;
    await assert.rejects(openPostgres({ url: proxy.url, startPatienceMs: 0 }), { message: reason });
    const opening = openPostgres({ url: proxy.url });
    await assert.rejects(openPostgres({ url: proxy.url, startPatienceMs: 300 }), { message: reason });
    proxy.setDown(false);
    await (await opening).close();
  });

  it('with a host nobody knows, or a URL that is none, hints at what a password must not hold', async () => {
    // An empty label: no name server is asked.
    for (const url of ['postgres://user..name:12/34@host/sendonce', 'postgres://user:a/b@host/sendonce']) {
      const refused = openPostgres({ url, startPatienceMs: 0 });
      await assert.rejects(refused, /(ENOTFOUND user\.\.name|Invalid URL).*percent-encoded/);
    }
  });

  it('that may only read says so', async (t) => {
    const temp = createTemp();
    const databaseUrl = await (await sharedPostgres()).createDatabase();
    await ask(databaseUrl, `alter database ${/test\d+/.exec(databaseUrl)} set default_transaction_read_only = on`);
    const program = startProgram({ databaseUrl, relayUrl: 'capture:', environment: { STATE_DIR: temp.path('.') } });
    t.after(() => {
      program.signal('SIGKILL');
      temp.remove();
    });
    assert.equal((await program.ended).code, 1);
    assert.match(program.words(), /the database does not work: .*read-only transaction/);
  });
});
