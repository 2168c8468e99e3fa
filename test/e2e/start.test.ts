/** A start that fails leaves nothing open: the same process can start again on the same database, and end. */

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { describe, it, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { discardDatabase, newDatabaseUrl, openDatabase } from '../support/engine.ts';
import { createTemp } from '../support/temp.ts';
import type { Failure } from './failing-start.ts';

const program = fileURLToPath(new URL('./failing-start.js', import.meta.url));

const failures: Record<Failure, RegExp> = {
  'a port that is taken': /Cannot listen on 127\.0\.0\.1:\d+: .*EADDRINUSE/,
  'a folder of the witness that is none': /ENOTDIR/,
  'an allowed network that is none': /"inside" is neither/,
  'a DKIM key that is none': /unsupported|no start line/i,
  'a clock that cannot be made': /there is no clock/,
  'a database that takes no writes': /./,
};

async function startTwice(t: TestContext, ...words: [Failure, ...string[]]) {
  const temp = createTemp();
  const url = await newDatabaseUrl(temp);
  t.after(async () => {
    await discardDatabase(url);
    temp.remove();
  });
  const env = { ...process.env, DATABASE_URL: url, STATE_DIR: temp.path('.') };
  const ended = await new Promise<{ code: number | null; said: string }>((resolve) => {
    const child = execFile(process.execPath, [program, ...words], { env, timeout: 60_000 }, (_error, out, err) =>
      resolve({ code: child.exitCode, said: `${out}${err}` }),
    );
  });
  return { ...ended, url };
}

describe('a start that fails', () => {
  for (const [failure, words] of Object.entries(failures) as [Failure, RegExp][]) {
    it(`for ${failure} leaves neither database nor lock nor timer behind`, async (t) => {
      const { code, said, url } = await startTwice(t, failure);
      assert.match(said, words);
      assert.equal(code, 0, said);
      const database = await openDatabase(url);
      t.after(() => database.close());
      assert.deepEqual(await database.all('select id from workers'), [], 'nobody takes it for alive');
    });
  }

  it('is seen to leave them where what was started is not stopped', async (t) => {
    const { code, said } = await startTwice(t, 'a port that is taken', 'unguarded');
    assert.ok(code === 3 || code === 4, `${code}: ${said}`);
  });
});
