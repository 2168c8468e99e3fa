/** The files of one version of Node, from the npm package that holds them: binary and headers. */

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';

export type NodeFiles = { home: string; bin: string };

/** Null where the headers of the running one are not beside it: node-gyp then fetches them. */
export function runningNode(): NodeFiles | null {
  const bin = dirname(process.execPath);
  const home = dirname(bin);
  return existsSync(join(home, 'include/node/node.h')) ? { home, bin } : null;
}

/** Fetched into `folder`, once for each version. */
export function nodeOf(folder: string, version: string): NodeFiles {
  const place = join(folder, `node-${version}`);
  const name = `node-${process.platform}-${process.arch}`;
  const home = join(place, 'node_modules', name);
  if (!existsSync(home)) {
    mkdirSync(place);
    execFileSync('npm', ['install', '--no-audit', '--no-fund', '--silent', '--prefix', place, `${name}@${version}`], {
      stdio: ['ignore', 'ignore', 'inherit'],
    });
  }
  assert(existsSync(join(home, 'bin/node')), `the npm package ${name}@${version} holds Node for this machine`);
  return { home, bin: join(home, 'bin') };
}
