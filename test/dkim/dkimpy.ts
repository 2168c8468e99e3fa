/** dkimpy (of PyPI, put into a folder that is thrown away): a second opinion on signatures. */

import { execFileSync, spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Temp } from '../support/temp.ts';

const dkimpy = ['dkimpy==1.1.8', 'pynacl', 'dnspython'];

export type Signature = { a: string; d: string; s: string; good: boolean; reason: string };

/** Null: there is none that could be used, and why was said. */
export function findPython(temp: Temp): string | null {
  const venv = temp.path('venv');
  if (spawnSync('python3', ['-m', 'venv', venv]).status !== 0) {
    console.log('skipped: there is no python3 with venv here, so no mail was checked by another program.');
    return null;
  }
  const python = join(venv, 'bin', 'python');
  const installed = spawnSync(python, ['-m', 'pip', 'install', '--quiet', ...dkimpy], { encoding: 'utf8' });
  if (installed.status === 0) return python;
  console.log(`skipped: dkimpy cannot be had here, so no mail was checked by another program.\n${installed.stderr}`);
  return null;
}

/** What it says of each signature of each mail; `zone`: the TXT records there are. */
export function verify(
  python: string,
  temp: Temp,
  zone: Readonly<Record<string, string>>,
  mails: readonly Uint8Array[],
): Signature[][] {
  const script = new URL('../../../test/dkim/verify.py', import.meta.url).pathname;
  const zoneFile = temp.path('zone.json');
  writeFileSync(zoneFile, JSON.stringify(zone));
  const files = mails.map((bytes, index) => {
    const path = temp.path(`${index}.eml`);
    writeFileSync(path, bytes);
    return path;
  });
  const said = execFileSync(python, [script, zoneFile, ...files], { encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 });
  return said
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Signature[]);
}
