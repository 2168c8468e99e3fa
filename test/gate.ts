/**
 * `npm test`: every test file there is. What is long has a process of its own and begins first; the files of a folder share one, since
 * half of what a small file costs is to load the program. `npm test -- resend core/dkim` runs the files whose paths begin so; each also
 * runs by itself: `node --test build/test/core/dkim.test.js`.
 */

import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { run } from 'node:test';
import { spec } from 'node:test/reporters';
import { gatherProcesses } from './processes.ts';

const folder = import.meta.dirname;
const together = join(folder, 'together');
rmSync(together, { recursive: true, force: true });

const starts = process.argv.slice(2);
const files = readdirSync(folder, { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.test.js'))
  .filter((name) => starts.length === 0 || starts.some((start) => name.startsWith(start)));
if (files.length === 0) throw new Error(`no test file begins with ${starts.join(' or ')}`);
mkdirSync(together);
const processes = gatherProcesses(files).map(({ name, files }) => {
  const [first = '', ...more] = files;
  if (more.length === 0) return join(folder, first);
  const path = join(together, `${name}.test.js`);
  writeFileSync(path, files.map((file) => `await import('../${file}');\n`).join(''));
  return path;
});

// Most tests wait now and then: one more than there are cores keeps those busy.
run({ files: processes, concurrency: availableParallelism() + 1 })
  .on('test:fail', () => {
    process.exitCode = 1;
  })
  .compose(new spec())
  .pipe(process.stdout);
