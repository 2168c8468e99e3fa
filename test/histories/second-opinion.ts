/** What porcupine, a checker of linearizability written by others in Go, makes of the same calls. */

import { execFile, spawn } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const folder = fileURLToPath(new URL('../../../test/histories/porcupine/', import.meta.url));
/** Kept between runs: compiling takes longer than judging. */
const program = join(tmpdir(), 'sendonce-histories', 'porcupine');
const buildMs = 5 * 60_000;

type Opinion = { lines: string[]; isHeld: boolean };

/** `kept`: a history a line, as `--keep` writes it. `skipped`: why it says nothing. */
export async function askPorcupine(kept: string): Promise<Opinion | { skipped: string }> {
  const trouble = await build();
  if (trouble !== null) return { skipped: trouble };
  const control = await ask(JSON.stringify(planted));
  if (!control.isHeld) return ask(kept);
  return { lines: ['violation: porcupine takes two answers under one key for one'], isHeld: false };
}

/** What it has to refute each time before it is believed. */
const planted = {
  calls: [0, 1].map((at) => ({
    ...{ key: 'planted', body: 'hello', begunAt: at * 10, endedAt: at * 10 + 5 },
    saw: { kind: 'accepted', ids: `id-${at}` },
  })),
  keyLifetimeMs: 1_000,
};

async function ask(kept: string): Promise<Opinion> {
  const child = spawn(program, [], { stdio: ['pipe', 'pipe', 'inherit'] });
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
  Readable.from([kept]).pipe(child.stdin);
  const lines: string[] = [];
  for await (const line of createInterface({ input: child.stdout })) lines.push(line);
  return { lines, isHeld: (await ended) === 0 };
}

/** Null: it is built. */
async function build(): Promise<string | null> {
  const run = promisify(execFile);
  mkdirSync(join(program, '..'), { recursive: true });
  try {
    await run('go', ['build', '-C', folder, '-o', program, '.'], { timeout: buildMs });
    return null;
  } catch (error) {
    const { code, stderr = '', message } = error as NodeJS.ErrnoException & { stderr?: string };
    return code === 'ENOENT' ? 'there is no go on this machine' : `go cannot build it: ${stderr || message}`;
  }
}
