/** An acknowledged commit survives a power cut: the log is synced before the answer leaves, and with NORMAL this very check fails. */

import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { message, testKey } from '../support/server.ts';
import { createTemp } from '../support/temp.ts';
import { labServer } from './lab-server.ts';
import { startProgram } from './program.ts';
import { canTrace, type Traced, traced, traceOf } from './syncs.ts';

/** Sends a few keyed requests, one after the other, to a server under strace. */
async function traceRequests(t: TestContext, variant: 'none' | 'syncs-little'): Promise<Traced[]> {
  const temp = createTemp();
  const output = temp.path('strace');
  const setting = { databaseUrl: `sqlite:${temp.path('traced.db')}`, relayUrl: 'capture:' };
  const program = startProgram(setting, traced(output, labServer(variant)));
  const url = await program.listening;
  const server = Number(/^pid (\d+)$/m.exec(program.words())?.[1]);
  t.after(() => temp.remove());
  assert(url && server, program.words());
  const keys = ['traced/first', 'traced/second', 'traced/third'];
  try {
    for (const key of keys) await send(url, key);
  } finally {
    process.kill(server, 'SIGTERM');
    await program.ended;
  }
  return keys.map((key) => traceOf(output, key));
}

async function send(url: string, key: string): Promise<void> {
  const headers = { authorization: `Bearer ${testKey}`, 'content-type': 'application/json', 'idempotency-key': key };
  const reply = await fetch(`${url}/emails`, { method: 'POST', headers, body: JSON.stringify(message()) });
  assert.equal(reply.status, 200, await reply.text());
}

test('the write-ahead log is synced after it was written and before the answer leaves', async (t) => {
  if (!canTrace(t)) return;
  for (const trace of await traceRequests(t, 'none')) {
    assert(trace.writes > 0, 'an accepted request is written');
    assert(trace.syncs > 0 && trace.isSyncedLast, JSON.stringify(trace));
  }
});

test('the check of syncs notices a server that runs with synchronous=NORMAL', async (t) => {
  if (!canTrace(t)) return;
  for (const trace of await traceRequests(t, 'syncs-little')) {
    assert(trace.writes > 0, 'an accepted request is written');
    assert.equal(trace.isSyncedLast, false, JSON.stringify(trace));
  }
});
