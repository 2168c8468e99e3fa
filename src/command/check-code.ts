/** `sendonce check-code`: each call of Resend or Brevo in a code base, and what becomes of it here. */

import { existsSync } from 'node:fs';
import { relative } from 'node:path';
import { codeFilesIn, fileBytesMax } from './check-code/code-files.ts';
import { createJudge, type Seen } from './check-code/judge.ts';
import { readKnownCalls } from './check-code/known-calls.ts';
import { CommandError, printable, table } from './terminal.ts';
import { UsageError } from './usage.ts';

/** Prints a line for each call; the exit status is 1 where one is not here. */
export function checkCode([path, ...others]: string[]): void {
  if (path === undefined || others.length > 0) throw new UsageError('Usage: sendonce check-code PATH');
  if (!existsSync(path)) throw new CommandError(`There is nothing at ${path}.`);
  const judge = createJudge(readKnownCalls());
  const unread: string[] = [];
  const seen: (Seen & { path: string })[] = [];
  let files = 0;
  for (const file of codeFilesIn(path, (large) => unread.push(large))) {
    files++;
    for (const one of judge(file.text, file.extension)) seen.push({ path: file.path, ...one });
  }
  if (seen.length > 0) console.log(`${table(['WHERE', 'HERE', 'CALL', ''], seen.map(rowOf))}\n`);
  console.log(summaryOf(seen, files));
  for (const large of unread) console.log(`Not read, larger than ${fileBytesMax / 1024} KiB: ${printable(large)}`);
  if (seen.some(({ verdict }) => verdict.is === 'not here')) process.exitCode = 1;
}

function rowOf({ path, line, call, verdict }: Seen & { path: string }): string[] {
  const where = `${relative(process.cwd(), path) || path}:${line}`;
  return [printable(where), verdict.is, printable(call).slice(0, 80), printable(verdict.why)];
}

function summaryOf(seen: readonly Seen[], files: number): string {
  if (seen.length === 0) return `No call of Resend or Brevo was found in ${files} files.`;
  const count = (is: Seen['verdict']['is']) => seen.filter(({ verdict }) => verdict.is === is).length;
  const unclear = count('unclear');
  return [
    `${seen.length} calls in ${files} files: ${count('works')} work, ${count('works, but')} work but differ, ${count('not here')} are not here`,
    unclear > 0 ? `, ${unclear} are for you to look at.` : '.',
  ].join('');
}
