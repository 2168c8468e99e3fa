/** `npm test` runs every test file, once. */

import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { it } from 'node:test';
import { gatherProcesses } from './processes.ts';

const files = readdirSync(import.meta.dirname, { recursive: true, encoding: 'utf8' }).filter(
  (name) => name.endsWith('.test.js') && !name.startsWith('together/'),
);

it('every test file is in one process, and in no other', () => {
  const gathered = gatherProcesses(files).flatMap((one) => one.files);
  assert.deepEqual(gathered.toSorted(), files.toSorted());
  assert(files.length > 200);
});

it('what is long begins first, by itself, and no process has many files', () => {
  const processes = gatherProcesses(files);
  assert.deepEqual(processes.at(0)?.files, ['lab/sweep.test.js']);
  assert(processes.every((one) => one.files.length <= 12));
  assert.equal(new Set(processes.map(({ name }) => name)).size, processes.length);
});
