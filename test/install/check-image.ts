/**
 * Builds the image of `deploy/Dockerfile` without a container engine and uses it: Debian's `buildah` builds in a chroot, on a base made
 * by `debootstrap` and from Node's own files, since no registry of images is needed that way. The server then runs in a mount
 * namespace of its own as the image's user, with a root that nobody can write to.
 */

import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, chownSync, copyFileSync, cpSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { NodeFiles } from './node-files.ts';
import { useServer } from './use-server.ts';

/** What the Dockerfile begins with: the tag is given to a base made here. */
const baseName = 'docker.io/library/node:22-bookworm-slim';
const suite = 'bookworm';

export const imageNode = '22';

/** What this machine lacks for it; empty where nothing is missing. */
export function lackingForImage(): string[] {
  const lacking = ['buildah', 'debootstrap', 'unshare', 'chroot'].filter(
    (tool) => spawnSync('which', [tool]).status !== 0,
  );
  return process.getuid?.() === 0 ? lacking : [...lacking, 'the right to mount (root)'];
}

/** Resolves with the milliseconds the first start took, and the size of the image in megabytes. */
export async function checkImage(
  root: string,
  folder: string,
  node: NodeFiles,
): Promise<{ startMs: number; megabytes: number }> {
  const build = builder(folder);
  makeBase(folder, node, build);
  // Of the two formats only Docker's has a health check.
  const how = ['--isolation', 'chroot', '--format', 'docker', '-f', join(root, 'deploy/Dockerfile'), '-t', 'sendonce'];
  build('build', ...how, root);
  return useImage(folder, build);
}

async function useImage(folder: string, build: Build): Promise<{ startMs: number; megabytes: number }> {
  const container = build('from', 'sendonce').trim();
  const place = build('mount', container).trim();
  const { User, Env, Healthcheck } = (JSON.parse(build('inspect', container)) as Inspected).Docker.config;
  assert.equal(User, 'node', 'it does not run as root');
  const data = dataFolder(folder, place);
  assertReadOnly(place, data);
  const program = join(folder, 'run-image');
  const inside = `exec chroot --userspec=${User} "${place}" env -i ${Env.map(quoted).join(' ')} PORT=0 node /app/dist/main.js serve`;
  writeFileSync(program, ['#!/bin/sh', asReadOnly(place, data, inside), ''].join('\n'));
  chmodSync(program, 0o755);
  const startMs = await useServer({
    program,
    environment: process.env,
    settings: {},
    whileItRuns: (url) => assertHealthy(Healthcheck, url),
  });
  const megabytes = Number(execFileSync('du', ['-sm', place], { encoding: 'utf8' }).split('\t')[0]);
  return { startMs, megabytes };
}

type Inspected = { Docker: { config: { User: string; Env: string[]; Healthcheck: Healthcheck } } };
type Healthcheck = { Test: string[] };
type Build = (...words: string[]) => string;

function builder(folder: string): Build {
  const own = ['--root', join(folder, 'images'), '--runroot', join(folder, 'images-run'), '--storage-driver', 'vfs'];
  return (...words) =>
    execFileSync('buildah', [...own, ...words], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'inherit'],
      maxBuffer: 64 * 1024 * 1024,
    });
}

/** Debian, Node with its headers, npm and the user `node`, as the official image has them, and this machine's registry. */
function makeBase(folder: string, { home }: NodeFiles, build: Build): void {
  const base = join(folder, 'base');
  execFileSync('debootstrap', ['--variant=minbase', '--include=ca-certificates', suite, base], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  copyFileSync(join(home, 'bin/node'), join(base, 'usr/local/bin/node'));
  cpSync(join(home, 'include/node'), join(base, 'usr/local/include/node'), { recursive: true });
  const npm = join(folder, 'npm-of-image');
  mkdirSync(npm);
  execFileSync('npm', ['install', '--no-audit', '--no-fund', '--silent', '--prefix', npm, 'npm@10'], {
    stdio: 'inherit',
  });
  cpSync(join(npm, 'node_modules/npm'), join(base, 'usr/local/lib/node_modules/npm'), { recursive: true });
  symlinkSync('../lib/node_modules/npm/bin/npm-cli.js', join(base, 'usr/local/bin/npm'));
  execFileSync('chroot', [base, 'useradd', '--uid', '1000', '--create-home', 'node']);
  const trusted = process.env.NODE_EXTRA_CA_CERTS;
  if (trusted) copyFileSync(trusted, join(base, 'etc/ssl/certs/of-the-builder.pem'));
  const container = build('from', 'scratch').trim();
  build('add', container, base, '/');
  const registry = execFileSync('npm', ['config', 'get', 'registry'], { encoding: 'utf8' }).trim();
  const settings = [
    'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    'npm_config_nodedir=/usr/local',
    `npm_config_registry=${registry}`,
    ...(trusted ? ['NODE_EXTRA_CA_CERTS=/etc/ssl/certs/of-the-builder.pem'] : []),
  ];
  build('config', ...settings.flatMap((setting) => ['--env', setting]), container);
  build('commit', '--rm', container, baseName);
}

/** A volume begins as the image's own folder: owner and mode are taken from there. */
function dataFolder(folder: string, place: string): string {
  const data = join(folder, 'volume');
  cpSync(join(place, 'data'), data, { recursive: true });
  const [owner = 0, group = 0] = execFileSync('stat', ['-c', '%u %g', join(place, 'data')], { encoding: 'utf8' })
    .split(' ')
    .map(Number);
  assert(owner > 0, 'its data belongs to its user');
  chownSync(data, owner, group);
  chmodSync(data, 0o700);
  return data;
}

/** A shell command that does `inside` where the root is read-only, but for the volume and `/tmp`. The process stays the same one. */
function asReadOnly(place: string, data: string, inside: string): string {
  const steps = [
    `mount --bind "${place}" "${place}"`,
    `mount -o remount,bind,ro "${place}"`,
    `mount --bind "${data}" "${place}/data"`,
    `mount -t tmpfs tmpfs "${place}/tmp"`,
    `mount -t proc proc "${place}/proc"`,
    inside,
  ];
  return `exec unshare --mount sh -c ${quoted(steps.join(' && '))}`;
}

function assertReadOnly(place: string, data: string): void {
  const write = (path: string) => {
    const inside = `exec chroot --userspec=node "${place}" touch ${path}`;
    return spawnSync('sh', ['-c', asReadOnly(place, data, inside)], { encoding: 'utf8' });
  };
  assert.match(write('/app/x').stderr, /Read-only file system/);
  assert.equal(write('/data/x').status, 0, 'its volume can be written to');
}

/** What the image's HEALTHCHECK runs, at the port that the server got. */
function assertHealthy({ Test: [, ...words] }: Healthcheck, url: string): void {
  const [program = '', ...rest] = words;
  const port = new URL(url).port;
  execFileSync(program, rest, { env: { ...process.env, PORT: port } });
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
