/** What is done about once a second goes on whatever fails of it, and ends with the server. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Database } from '../../src/store/database.ts';
import { bendDatabase } from '../support/bent-database.ts';
import { createTestClock } from '../support/clock.ts';
import { startTestServer } from '../support/server.ts';

describe('the chores', () => {
  it('are done, and done again, where the clock cannot be checked', async (t) => {
    const clock = createTestClock();
    let checks = 0;
    clock.check = () => {
      checks += 1;
      throw new Error('no clock');
    };
    const counted = countWrites();
    const server = await startTestServer({ outside: { clock, database: counted.database } });
    t.after(() => server.stop());
    for (let times = 1; times <= 2; times += 1) {
      const before = { checks, writes: counted.writes() };
      await server.tick();
      assert.ok(checks > before.checks);
      assert.ok(counted.writes() > before.writes);
    }
  });

  it('are not begun once the server has stopped', async () => {
    const counted = countWrites();
    const server = await startTestServer({ outside: { database: counted.database } });
    await server.tick();
    const stopped = server.stop();
    // Asked for in the middle of it: waits for what is under way, and finds it is over.
    const asked = server.tick();
    await stopped;
    await asked;
    const before = counted.writes();
    assert.ok(before > 0);
    await server.tick();
    assert.equal(counted.writes(), before);
  });
});

/** The chores write each time; lanes that find nothing due do not. */
function countWrites() {
  let writes = 0;
  const database = (own: Database): Database => ({
    ...bendDatabase(own, []),
    write(work, terms) {
      writes += 1;
      return own.write(work, terms);
    },
  });
  return { database, writes: () => writes };
}
