/** Both engines against the model of store and use cases, and databases that must be told apart from it. */

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { Database } from '../../src/store/database.ts';
import { type Bend, bendDatabase, bendEdge } from '../support/bent-database.ts';
import { type Grounds, openGrounds } from './grounds.ts';
import { runPrograms } from './run.ts';

/** Fixed, so that a failure here is not somebody else's bad luck; the long run draws its own. */
const seed = 7;
const count = 300;

/** Steps take five times as long there, and the statements are the same: 100 programs; `npm run test:model` runs all on both. */
const oneIn = { PostgreSQL: 3 };

describe('store and use cases', () => {
  let grounds: Grounds;

  before(async () => {
    grounds = await openGrounds();
  });
  after(() => grounds.close());

  it(`answer and keep what the model does, on SQLite in ${count} programs that take every edge and meet every refusal, on PostgreSQL in a third of them`, async (t) => {
    const { coverage, programs, steps, msOf } = await runPrograms({
      databases: grounds.databases,
      count,
      seed,
      oneIn,
      isWhole: true,
    });
    for (const line of coverage.table()) t.diagnostic(line);
    t.diagnostic(`${programs} programs, ${steps} steps, --seed ${seed}: ${times(msOf)}`);
    assert.deepEqual(coverage.missing(), [], 'what no program has met');
  });

  for (const [what, bend] of Object.entries(bent())) {
    it(`differ from the model within ${count} programs where ${what}`, async () => {
      const database: Database = bendDatabase(grounds.sqlite, [bend]);
      const ran = runPrograms({ databases: { bent: database }, count, seed, shrinks: false });
      await assert.rejects(ran, /Got AssertionError/);
    });
  }
});

function bent(): Record<string, Bend> {
  return {
    'a cancel calls off what is behind its gate': bendEdge('cancel', { from: ['queued', 'sending', 'handoff'] }),
    'a cancel calls off what may have left': bendEdge('cancel', { unless: undefined }),
    'a mail that was tried is rescheduled': bendEdge('reschedule', { unless: undefined }),
    'a gate opens for whoever comes': bendEdge('gate', { fence: 'state' }),
    'a claim does not ask whose it is by now': bendEdge('claim', { fence: 'state' }),
    'a 4yz is not counted': bendEdge('put_off', { counts: {} }),
    'a verdict counts whoever has it by now': bendEdge('sent', { fence: 'state' }),
    'a late verdict is not heard': bendEdge('rejected', { from: ['handoff'] }),
    'the dead keep their attempt': bendEdge('orphaned', { ends: undefined }),
    'the dead hand their hand-offs back': bendEdge('orphaned_handoff', { to: 'queued' }),
    'what the policy sends again is no possible duplicate': bendEdge('send_again', { counts: {} }),
    'an answer settles what is not in doubt': bendEdge('answer_abandon', { from: ['in_doubt', 'queued', 'sent'] }),
    'a gate that was not used is not taken back': bendEdge('unreached', { counts: { failures: '+ 1' } }),
    'a hold leaves a worker its attempt': bendEdge('hold', { ends: undefined }),
    'a notice does not settle a doubt': bendEdge('shown', { from: ['handoff'] }),
    'a notice settles what cannot have left': bendEdge('shown', { unless: undefined }),
    'a key is not moved with its mail': {
      when: 'update idempotency_keys set expires_at = ? where',
      find: 'where',
      replace: 'where 1 = 0 and',
    },
  };
}

function times(msOf: Record<string, number>): string {
  return Object.entries(msOf)
    .map(([name, ms]) => `${name} ${(ms / 1_000).toFixed(1)} s`)
    .join(', ');
}
