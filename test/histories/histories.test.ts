/** A short history of clients, people and kills; `npm run histories` makes long ones, on either engine. */

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { countOperations, gather } from './gather.ts';
import { guards, unseen } from './guards.ts';
import { judge } from './judge.ts';

test('what clients, people and the relay saw while processes died is what one register a key allows', async (t) => {
  const seed = Date.now() % 2 ** 31;
  t.diagnostic(`--seed ${seed}`);
  const [history] = await gather({ operations: 150, engine: 'sqlite', seed });
  assert(history && countOperations(history) >= 150);
  assert.deepEqual(judge(history), []);
});

test('every guard of the lab is tried by histories, or is said to be none of theirs', () => {
  const text = readFileSync(fileURLToPath(new URL('../../../test/lab/guards.ts', import.meta.url)), 'utf8');
  const acts = ['restart', 'terminate', 'cancel'];
  const named = [...text.matchAll(/guard: ['`]([^'`]+)['`]/g)].flatMap(([, name = '']) =>
    name.includes('$' + '{act}') ? acts.map((act) => name.replace(/\$\{act\}/, act)) : [name],
  );
  assert.deepEqual([...Object.keys(guards), ...Object.keys(unseen)].sort(), named.sort());
});

test('a guard that there is not is refused with the names of all', () => {
  const program = fileURLToPath(new URL('./histories.js', import.meta.url));
  const { status, stderr } = spawnSync(process.execPath, [program, '--without', 'nothing'], { encoding: 'utf8' });
  assert.equal(status, 2);
  for (const name of [...Object.keys(guards), ...Object.keys(unseen)]) assert(stderr.includes(name), name);
});
