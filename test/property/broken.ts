/** Servers that are wrong on purpose, each in one way: the property must notice every one of them. */

import type { Database } from '../../src/store/database.ts';
import { type Bend, bendDatabase, bendEdge, handoffsAreQueuedAgain } from '../support/bent-database.ts';
import type { WorldOptions } from './world.ts';

const bending = (...bends: Bend[]): WorldOptions => ({ database: (own: Database) => bendDatabase(own, bends) });

const expiresAt = 9;

export const broken: Record<string, WorldOptions> = {
  'forgets keys': bending(
    { when: 'from idempotency_keys where account', replace: 'from idempotency_keys where 1 = 0 and account' },
    { when: 'where idempotency_keys.expires_at <= ?', replace: 'where ? is not null' },
  ),
  'keeps keys a millisecond too long': bending({
    when: 'insert into idempotency_keys',
    params: (params) => params.map((value, at) => (at === expiresAt ? Number(value) + 1 : value)),
  }),
  'forgets a key when its email moves': bending({
    when: 'update idempotency_keys set expires_at = ?',
    replace: 'update idempotency_keys set expires_at = 0 * cast(? as bigint)',
  }),
  'cancels what has been handed off': bending(bendEdge('cancel', { from: ['queued', 'sending', 'handoff'] })),
  'sends again after a crash': bending(handoffsAreQueuedAgain),
  'loses in a crash what it had accepted': { losesLog: true },
};
