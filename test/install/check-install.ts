/**
 * Installs Sendonce as a stranger would, from what `npm pack` makes, into an empty folder, and uses it:
 * `npm run check:install [-- --node 22 --node 24 …]`. Other versions of Node come from the npm package `node`.
 */

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { type Use, useServer } from './use-server.ts';

const { values } = parseArgs({ options: { node: { type: 'string', multiple: true } } });
const root = fileURLToPath(new URL('../../../', import.meta.url));
const megabytesMax = 60;

const folder = mkdtempSync(join(tmpdir(), 'sendonce-install-'));
try {
  const packed = pack();
  for (const version of values.node ?? [process.versions.node]) await check(packed, version);
} finally {
  rmSync(folder, { recursive: true, force: true });
}

function pack(): string {
  const said = run(root, 'npm', 'pack', '--silent', '--pack-destination', folder);
  const [name = ''] = said.trim().split('\n').slice(-1);
  const files = run(folder, 'tar', 'tzf', name).split('\n');
  for (const wanted of ['dist/main.js', 'dist/main.d.ts', 'LICENSE', 'README.md', 'package.json'])
    assert(files.includes(`package/${wanted}`), `${wanted} is in the package`);
  const strange = files.filter(
    (file) => /^package\/(src|test|bench|node_modules)\//.test(file) || /\.tsx?$/.test(file.replace(/\.d\.ts$/, '')),
  );
  assert.deepEqual(strange, [], 'sources and tests are not in the package');
  console.log(`package: ${name}, ${files.length - 1} files`);
  return join(folder, name);
}

async function check(packed: string, version: string): Promise<void> {
  const place = join(folder, `with-node-${version}`);
  mkdirSync(place);
  // npm 11 runs install scripts of those packages alone that are named here; in a folder the flag is refused.
  const manifest = { private: true, allowScripts: { 'better-sqlite3': true } };
  writeFileSync(join(place, 'package.json'), `${JSON.stringify(manifest)}\n`);
  const own = process.versions.node === version ? runningNode() : nodeOf(version);
  const path = own ? `${own.bin}:${process.env.PATH}` : process.env.PATH;
  // Native code is compiled where nobody publishes it for this version: against the headers that came with it.
  const environment = { ...process.env, PATH: path, ...(own ? { npm_config_nodedir: own.home } : {}) };
  const begunAt = performance.now();
  execFileSync('npm', ['install', '--no-audit', '--no-fund', packed], {
    cwd: place,
    env: environment,
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const seconds = Math.round((performance.now() - begunAt) / 1_000);
  const megabytes = Number(run(place, 'du', '-sm', 'node_modules').split('\t')[0]);
  const use: Use = { program: join(place, 'node_modules/.bin/sendonce'), folder: join(place, 'data'), environment };
  const started = await useServer(use);
  console.log(
    `node ${version}: installed in ${seconds} s, ${megabytes} MB; started in ${started} ms; sent, repeated, restarted, page: ok`,
  );
  assert(megabytes < megabytesMax, `${megabytes} MB are more than ${megabytesMax}`);
}

/** Null where its headers are not beside it: node-gyp then fetches them. */
function runningNode(): { home: string; bin: string } | null {
  const bin = dirname(process.execPath);
  const home = dirname(bin);
  return existsSync(join(home, 'include/node/node.h')) ? { home, bin } : null;
}

/** The npm package `node` is a shell around the binaries of one version, headers included. */
function nodeOf(version: string): { home: string; bin: string } {
  const place = join(folder, `node-${version}`);
  mkdirSync(place);
  run(place, 'npm', 'install', '--no-audit', '--no-fund', '--silent', '--prefix', place, `node@${version}`);
  const modules = join(place, 'node_modules');
  const [home] = readdirSync(modules).filter((name) => /^node-\w+-\w+$/.test(name));
  assert(home, `the npm package node@${version} has a build for this machine`);
  return { home: join(modules, home), bin: join(modules, home, 'bin') };
}

function run(cwd: string, command: string, ...words: string[]): string {
  return execFileSync(command, words, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
}
