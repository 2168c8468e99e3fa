/** What leaves is on the disk: a sync covers each answer and each dot before it leaves, and where none does this very check fails. */

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { type TestContext, test } from 'node:test';
import { message, testKey } from '../support/server.ts';
import { startSink } from '../support/smtp-sink.ts';
import { createTemp } from '../support/temp.ts';
import { Coverage, type Said } from './coverage.ts';
import { labServer } from './lab-server.ts';
import { startProgram } from './program.ts';
import { until } from './stand.ts';
import { readCalls, tracedWrites } from './traced-disk.ts';

const keys = ['traced/first', 'traced/second', 'traced/third'];

/** Sends a few keyed requests, one after the other, to a server under strace, and waits for its mails. */
async function traceRequests(t: TestContext, variant: string): Promise<Said[]> {
  const temp = createTemp();
  const sink = await startSink();
  t.after(async () => {
    await sink.close();
    temp.remove();
  });
  const setting = { databaseUrl: `sqlite:${temp.path('traced.db')}`, relayUrl: `smtp://127.0.0.1:${sink.port}` };
  const program = startProgram(setting, tracedWrites(temp.path('strace'), labServer(variant)));
  const url = await program.listening;
  assert(url, program.words());
  try {
    for (const key of keys) await send(url, key);
    await until('each mail has left', () => sink.received.length === keys.length);
  } finally {
    program.signal('SIGTERM');
    await program.ended;
  }
  const coverage = new Coverage(temp.path('traced.db'), sink.port);
  for (const call of readCalls(temp.path('strace'))) coverage.play(call);
  for (const { what, id, commit, sync } of coverage.said)
    t.diagnostic(`the ${what} of ${id} rests on commit ${commit}, which ${sync ? `sync ${sync}` : 'no sync'} covers`);
  return coverage.said;
}

async function send(url: string, key: string): Promise<void> {
  const headers = { authorization: `Bearer ${testKey}`, 'content-type': 'application/json', 'idempotency-key': key };
  const reply = await fetch(`${url}/emails`, { method: 'POST', headers, body: JSON.stringify(message()) });
  assert.equal(reply.status, 200, await reply.text());
}

function uncovered(said: Said[], what: Said['what']): number {
  const own = said.filter((one) => one.what === what);
  assert.equal(own.length, keys.length, `the trace shows each ${what}`);
  for (const { commit } of own) assert(commit, 'and the commit it rests on');
  return own.filter(({ sync }) => sync === null).length;
}

/** False, and loudly so, where the system's calls cannot be watched. */
function canTrace(t: TestContext): boolean {
  const { status, error, stderr } = spawnSync('strace', ['-f', '-o', '/dev/null', '--', process.execPath, '-e', '0']);
  if (status === 0) return true;
  const why = error?.message ?? stderr.toString().trim();
  t.diagnostic(`NOT CHECKED: that what leaves is synced before; strace does not run (${why})`);
  t.skip('strace does not run here');
  return false;
}

test('a sync that began after the commit has ended before its answer leaves, and before its dot', async (t) => {
  if (!canTrace(t)) return;
  const said = await traceRequests(t, 'none');
  assert.deepEqual([uncovered(said, 'answer'), uncovered(said, 'dot')], [0, 0]);
});

test('the check of syncs notices answers that leave before the sync', async (t) => {
  if (!canTrace(t)) return;
  const said = await traceRequests(t, 'answers-before-sync');
  assert(uncovered(said, 'answer') > 0);
});

test('the check of syncs notices dots that leave before the sync', async (t) => {
  if (!canTrace(t)) return;
  const said = await traceRequests(t, 'gates-before-sync');
  assert(uncovered(said, 'dot') > 0);
});
