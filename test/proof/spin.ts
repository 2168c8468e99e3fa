/** Runs SPIN: a model becomes C, the C a checker, and the checker visits every state there is. */

import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Model } from './models.ts';

export type Checked = {
  states: number;
  depth: number;
  megabytes: number;
  seconds: number;
  /** Null: it holds. Otherwise what was violated, and how it came to that, a line for each thing that happened. */
  refuted: { by: string; trace: string[] } | null;
};

export type Job = Pick<Model, 'file'> & {
  defines: readonly string[];
  /** Looked for: a run that goes on for ever. */
  seeksCycles?: boolean;
};

const folder = fileURLToPath(new URL('../../../test/proof/', import.meta.url));
const depthMax = 20_000;
const megabytesMax = 3_000;

/** The programs that are not there. */
export async function missingPrograms(): Promise<string[]> {
  const tries = ['spin -V', 'gcc --version'].map(async (words) => {
    const [program = '', ...rest] = words.split(' ');
    return (await run(program, rest, tmpdir())).code === 'ENOENT' ? program : null;
  });
  return (await Promise.all(tries)).filter((name) => name !== null);
}

/** @throws Error where SPIN has not visited all of it, and found nothing. */
export async function checkModel({ file, defines, seeksCycles = false }: Job): Promise<Checked> {
  const path = join(folder, `${file}.pml`);
  const defined = defines.map((one) => `-D${one}`);
  const place = mkdtempSync(join(tmpdir(), 'sendonce-model-'));
  try {
    await mustRun('spin', ['-a', ...defined, path], place);
    const mode = seeksCycles ? ['-DNP'] : ['-DSAFETY'];
    await mustRun('gcc', ['-O1', '-w', ...mode, '-DCOLLAPSE', `-DMEMLIM=${megabytesMax}`, '-o', 'pan', 'pan.c'], place);
    const { output } = await run(join(place, 'pan'), [`-m${depthMax}`, '-w22', ...(seeksCycles ? ['-l'] : [])], place);
    const checked = parse(output);
    if (!checked) throw new Error(`${file} ${defines.join(' ')}: SPIN has not visited all of it:\n${output}`);
    const by = /pan:1: (.*) \(at depth/.exec(output)?.[1];
    if (by === undefined) return checked;
    const trail = await run('spin', ['-t', '-T', ...defined, '-k', `${file}.pml.trail`, path], place);
    return { ...checked, refuted: { by: by.trim(), trace: happened(trail.output) } };
  } finally {
    rmSync(place, { recursive: true, force: true });
  }
}

/** Null: it has not come to its end. */
function parse(output: string): Checked | null {
  const found = (pattern: RegExp) => Number(pattern.exec(output)?.[1] ?? Number.NaN);
  const errors = found(/errors: (\d+)/);
  const states = found(/^\s*(\d+) states, stored/m);
  const isCut = /max search depth too small|out of memory/.test(output);
  if (Number.isNaN(errors) || Number.isNaN(states) || isCut) return null;
  if (errors === 0 && /Search not completed/.test(output)) return null;
  return {
    states,
    depth: found(/depth reached (\d+)/),
    megabytes: Math.ceil(found(/([\d.]+)\s+total actual memory usage/)),
    seconds: found(/elapsed time ([\d.]+)/),
    refuted: null,
  };
}

function happened(output: string): string[] {
  const lines = output.split('\n').map((line) => line.trim());
  const end = lines.findIndex((line) => line.startsWith('spin:') && line.includes('assertion violated'));
  return lines.slice(0, end === -1 ? undefined : end).filter((line) => line !== '' && !line.startsWith('spin:'));
}

async function mustRun(program: string, words: string[], place: string): Promise<void> {
  const { code, output } = await run(program, words, place);
  if (code !== 0) throw new Error(`${program} ${words.join(' ')}: ${output}`);
}

function run(program: string, words: string[], cwd: string): Promise<{ code: number | string; output: string }> {
  return new Promise((resolve) => {
    execFile(program, words, { cwd, maxBuffer: 2 ** 26 }, (error, stdout, stderr) => {
      resolve({ code: error ? (error.code ?? 'killed') : 0, output: `${stdout}${stderr}` });
    });
  });
}
