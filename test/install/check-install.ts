/**
 * Installs Sendonce as a stranger would, from what `npm pack` makes, into an empty folder, and uses it; then builds the image and
 * uses that: `npm run check:install [-- --node 22 --node 24 … --only package|image]`. Other versions of Node come from npm.
 */

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { checkImage, imageNode, lackingForImage } from './check-image.ts';
import { nodeOf, runningNode } from './node-files.ts';
import { useServer } from './use-server.ts';

const { values } = parseArgs({ options: { node: { type: 'string', multiple: true }, only: { type: 'string' } } });
if (values.only && !['package', 'image'].includes(values.only)) throw new Error('--only knows package and image');
const root = fileURLToPath(new URL('../../../', import.meta.url));
const megabytesMax = 60;

const folder = mkdtempSync(join(tmpdir(), 'sendonce-install-'));
try {
  if (values.only !== 'image') {
    const packed = pack();
    for (const version of values.node ?? [process.versions.node]) await check(packed, version);
  }
  if (values.only !== 'package') await checkImageHere();
} finally {
  rmSync(folder, { recursive: true, force: true });
}

function pack(): string {
  const said = run(root, 'npm', 'pack', '--silent', '--pack-destination', folder);
  const [name = ''] = said.trim().split('\n').slice(-1);
  const files = run(folder, 'tar', 'tzf', name).split('\n');
  for (const wanted of ['dist/main.js', 'dist/client/client.d.ts', 'LICENSE', 'README.md', 'package.json'])
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
  const own = process.versions.node === version ? runningNode() : nodeOf(folder, version);
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
  const megabytes = megabytesOf(place, 'node_modules');
  const objects = 'node_modules/better-sqlite3/build/Release/obj';
  const compiled = [objects, `${objects}.target`].reduce((sum, path) => sum + megabytesOf(place, path), 0);
  const data = join(place, 'data');
  const settings = { PORT: '0', STATE_DIR: data, DATABASE_URL: `sqlite:${data}/sendonce.db` };
  const started = await useServer({ program: join(place, 'node_modules/.bin/sendonce'), environment, settings });
  console.log(
    `node ${version}: installed in ${seconds} s, ${megabytes} MB, ${compiled} of them what compiling SQLite left behind; started in ${started} ms; sent, repeated, restarted, page: ok`,
  );
  assert(megabytes - compiled < megabytesMax, `${megabytes} MB are more than ${megabytesMax}`);
}

/** 0 where it is not there: where somebody publishes a binary for this Node, nothing is compiled. */
function megabytesOf(place: string, path: string): number {
  return existsSync(join(place, path)) ? Number(run(place, 'du', '-sm', path).split('\t')[0]) : 0;
}

async function checkImageHere(): Promise<void> {
  const lacking = lackingForImage();
  if (lacking.length > 0) return console.log(`image: NOT CHECKED, this machine lacks ${lacking.join(', ')}`);
  const { startMs, megabytes } = await checkImage(root, folder, nodeOf(folder, imageNode));
  console.log(
    `image: built, ${megabytes} MB with Debian and Node; as its user on a read-only root started in ${startMs} ms; sent, repeated, restarted, page, health, ended: ok`,
  );
}

function run(cwd: string, command: string, ...words: string[]): string {
  return execFileSync(command, words, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
}
