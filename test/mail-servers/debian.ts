/**
 * Debian's mail servers beside each other: its packages of them shut each other out, so each is unpacked over the system's files in a
 * namespace of its own, where it sees its own users and spools. All of it is gone when it ends. Needs root and `apt-get download`.
 */

import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export type Package = {
  packages: readonly string[];
  /** `name:home` of each user, which has a group of the same name. */
  users: readonly string[];
  /** Shell, in the root of its own, before the command. */
  prepare?: string;
  /** Serves in the foreground. */
  command: readonly string[];
};

export type Running = { folder: string; end(): Promise<void> };

/** In the order of their arguments: where to build, what is shared with outside, what to unpack, and the users. */
const script = `set -e
base=$1; folder=$2; debs=$3; users=$4; prepare=$5; shift 5
mount -t tmpfs none "$base"
mkdir "$base/upper" "$base/work" "$base/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$base/upper,workdir=$base/work" "$base/root"
for deb in "$debs"/*.deb; do dpkg --fsys-tarfile "$deb" | tar -x --keep-directory-symlink -C "$base/root"; done
for one in dev proc; do mount --rbind "/$one" "$base/root/$one"; done
mkdir -p "$base/root$folder"
mount --bind "$folder" "$base/root$folder"
id=7001
for user in $users; do
  echo "\${user%%:*}:x:$id:$id::\${user#*:}:/bin/false" >>"$base/root/etc/passwd"
  echo "\${user%%:*}:x:$id:" >>"$base/root/etc/group"
  id=$((id + 1))
done
chroot "$base/root" sh -ec "$prepare"
exec chroot "$base/root" "$@"
`;

/** Null: it cannot be had here, and why was said. */
export async function startPackage(made: Package, folder: string, port: number): Promise<Running | null> {
  const debs = fetchPackages(made.packages);
  if (debs === null) return null;
  const base = mkdtempSync(join(tmpdir(), 'sendonce-root-'));
  const words = [base, folder, debs, made.users.join(' '), made.prepare ?? 'true', ...made.command];
  const unshare = ['--mount', '--pid', '--fork', '--kill-child', 'sh', '-c', script, 'sh', ...words];
  const child = spawn('unshare', unshare, { stdio: ['ignore', 'pipe', 'pipe'] });
  const said: string[] = [];
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => said.push(String(chunk)));
  const end = async () => {
    await kill(child);
    rmSync(base, { recursive: true, force: true });
  };
  if (await answersAt(port, child)) return { folder, end };
  await end();
  console.log(`${made.packages[0]} did not start: ${said.join('').slice(0, 2_000)}`);
  return null;
}

async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  // The first process of a namespace takes all others along; what runs as another user outlives unshare's own death.
  const first = readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8').trim();
  if (first !== '') process.kill(Number(first), 'SIGKILL');
  else child.kill('SIGKILL');
  await ended;
}

/** Fetched once; null: Debian's packages cannot be had. */
function fetchPackages(names: readonly string[]): string | null {
  const folder = join(tmpdir(), `sendonce-debian-${names[0]}`);
  mkdirSync(folder, { recursive: true });
  if (readdirSync(folder).filter((name) => name.endsWith('.deb')).length === names.length) return folder;
  try {
    execFileSync('apt-get', ['download', '-q', ...names], { cwd: folder, stdio: 'pipe' });
    return folder;
  } catch (error) {
    console.log(`${names.join(' ')} cannot be fetched, and was not tried: ${String(error).slice(0, 300)}`);
    return null;
  }
}

async function answersAt(port: number, child: ChildProcess): Promise<boolean> {
  for (let tries = 0; tries < 300 && child.exitCode === null; tries++) {
    if (await answers(port)) return true;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return false;
}

export function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect(port, '127.0.0.1');
    const end = (does: boolean) => {
      socket.destroy();
      resolve(does);
    };
    socket
      .on('error', () => end(false))
      .on('close', () => end(false))
      .on('data', () => end(true));
  });
}

/** Readable for the users that servers run as. */
export function openFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'sendonce-mail-'));
  chmodSync(folder, 0o755);
  return folder;
}

export function writeProgram(path: string, text: string): void {
  if (existsSync(path)) rmSync(path);
  writeFileSync(path, text, { mode: 0o755 });
  chmodSync(path, 0o755);
}
