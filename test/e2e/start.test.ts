/** A start that fails leaves nothing open: the same process can start again on the same database, and end. */

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { discardDatabase, newMigratedUrl } from '../support/engine.ts';
import { createTemp } from '../support/temp.ts';
import type { Failed, Failure } from './failing-start.ts';

const program = fileURLToPath(new URL('./failing-start.js', import.meta.url));

const failures: Record<Failure, RegExp> = {
  'a port that is taken': /Cannot listen on 127\.0\.0\.1:\d+: .*EADDRINUSE/,
  'a folder of the witness that is none': /ENOTDIR/,
  'an allowed network that is none': /"inside" is neither/,
  'a DKIM key that is none': /unsupported|no start line/i,
  'a clock that cannot be made': /there is no clock/,
  'a database that takes no writes': /./,
};

type Ended = { code: number | null; failed: Failed[]; said: string };

async function run(...words: string[]): Promise<Ended> {
  const temp = createTemp();
  const url = await newMigratedUrl(temp);
  const env = { ...process.env, DATABASE_URL: url, STATE_DIR: temp.path('.') };
  const ended = await new Promise<Ended>((resolve) => {
    const child = execFile(process.execPath, [program, ...words], { env, timeout: 120_000 }, (_error, out, err) => {
      const lines = out.split('\n').filter((line) => line.startsWith('{"failure"'));
      resolve({ code: child.exitCode, failed: lines.map((line) => JSON.parse(line)), said: `${out}${err}` });
    });
  });
  await discardDatabase(url);
  temp.remove();
  return ended;
}

describe('a start that fails', () => {
  let ended: Ended;
  before(async () => {
    ended = await run();
  });

  for (const [failure, words] of Object.entries(failures)) {
    it(`for ${failure} leaves neither database nor lock behind`, () => {
      const failed = ended.failed.find((one) => one.failure === failure);
      assert.match(failed?.threw ?? '', words, ended.said);
      assert.deepEqual(failed?.alive, [], 'nobody takes it for alive');
    });
  }

  it('leaves no timer behind, and nothing else that keeps a process, for none of these reasons', () => {
    assert.equal(ended.failed.length, Object.keys(failures).length, ended.said);
    assert.equal(ended.code, 0, ended.said);
  });

  it('is seen to leave them where what was started is not stopped', async () => {
    const { code, said } = await run('unguarded');
    assert.ok(code === 3 || code === 4, `${code}: ${said}`);
  });
});
