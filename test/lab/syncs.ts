/** What the system was asked to do, in order, from a strace: was the log on the disk before the answer left? */

import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import type { TestContext } from 'node:test';

/** The command that runs another one and writes down its reads, writes and syncs, with the names of files and sockets. */
export function traced(output: string, command: string[]): string[] {
  const calls = 'trace=read,write,writev,sendto,sendmsg,pwrite64,fsync,fdatasync';
  return ['strace', '-f', '-yy', '-s', '1000', '-e', calls, '-o', output, '--', ...command];
}

/** False, and loudly so, where the system's calls cannot be watched. */
export function canTrace(t: TestContext): boolean {
  const { status, error, stderr } = spawnSync('strace', ['-f', '-o', '/dev/null', '--', process.execPath, '-e', '0']);
  if (status === 0) return true;
  const why = error?.message ?? stderr.toString().trim();
  t.diagnostic(
    `NOT CHECKED: that the write-ahead log is synced before the answer leaves; strace does not run (${why})`,
  );
  t.skip('strace does not run here');
  return false;
}

/** What was done to the log between reading the request of a key and writing its answer. */
export type Traced = { writes: number; syncs: number; isSyncedLast: boolean };

/** @throws Error when the request or its answer is not in the trace. */
export function traceOf(output: string, key: string): Traced {
  const lines = readFileSync(output, 'utf8').split('\n');
  const asked = lines.findIndex((line) => /\bread\(\d+<TCP/.test(line) && line.includes(key));
  const answered = lines.findIndex((line, at) => at > asked && /<TCP.*HTTP\/1\.1 200/.test(line));
  if (asked < 0 || answered < 0) throw new Error(`the trace does not show ${key} and its answer`);
  const between = lines.slice(asked, answered);
  const isWrite = (line: string) => /\b(pwrite64|write)\(\d+<[^>]*-wal>/.test(line);
  const isSync = (line: string) => /\bf(data)?sync\(\d+<[^>]*-wal>/.test(line);
  return {
    writes: between.filter(isWrite).length,
    syncs: between.filter(isSync).length,
    isSyncedLast: between.findLastIndex(isSync) > between.findLastIndex(isWrite),
  };
}
