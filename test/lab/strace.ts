/** Faults in the system calls of a running process, by `strace --inject`: a kill before, or an error instead of, the Nth call. */

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';

export type Inject = {
  calls: string[];
  /** As strace spells it: `signal=KILL`, `error=EIO`. */
  what: string;
  /** `3`: the third call of each kind and thread; `3+`: that and all after it. */
  when: string;
  /** Only calls on these files; the empty list means all. */
  paths: string[];
};

export type Injection = {
  /** The calls watched that have been made so far, one a line. */
  trace(): string;
  /** True once the process is dead, be it not yet buried. */
  isDead(): boolean;
  /** True once a call was made to fail. */
  hasFailed(): boolean;
  /** From here on the calls are the system's again. The process goes on. */
  detach(): Promise<void>;
};

/**
 * strace 6.1 sometimes waits for ever for threads that a kill has stopped half-way through their end; once it is gone
 * itself, they die.
 */
const detachMs = 500;

/** Why system calls cannot be tampered with here; null when they can. */
export function whyNoStrace(): string | null {
  const probe = ['-f', '-o', '/dev/null', '-e', 'inject=fsync:error=EIO:when=1', '--', process.execPath, '-e', '0'];
  const { status, error, stderr } = spawnSync('strace', probe);
  if (status === 0) return null;
  return `strace does not run here (${error?.message ?? stderr.toString().trim().split('\n')[0]})`;
}

/**
 * Attaches to all threads of `pid`; each counts its own calls from now on, and so do threads that are yet to start.
 * A kill comes on entering the call, which is then not made: the Nth and the one after it stand on either side of it.
 */
export async function inject(pid: number, output: string, { calls, what, when, paths }: Inject): Promise<Injection> {
  const faults = calls.flatMap((call) => ['-e', `inject=${call}:${what}:when=${when}`]);
  const files = paths.flatMap((path) => ['-P', path]);
  const strace = spawn(
    'strace',
    [
      '-f',
      '-yy',
      '-s',
      '64',
      '-o',
      output,
      '-p',
      String(pid),
      '-e',
      `trace=${[...calls, 'fsync', 'fdatasync'].join(',')}`,
      ...faults,
      ...files,
    ],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  );
  const ended = once(strace, 'exit');
  await attached(strace, ended);
  const trace = () => readFileSync(output, 'utf8');
  return {
    trace,
    isDead: () => isDead(pid),
    hasFailed: () => trace().includes('(INJECTED)'),
    async detach() {
      strace.kill('SIGTERM');
      const timer = setTimeout(() => strace.kill('SIGKILL'), detachMs);
      await ended;
      clearTimeout(timer);
    },
  };
}

/** Its parent is not told while some thread has not ended: the first one's state tells (proc(5)). */
export function isDead(pid: number): boolean {
  try {
    return /^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return true;
  }
}

async function attached(strace: ChildProcess, ended: Promise<unknown>): Promise<void> {
  const lines: string[] = [];
  const isAttached = new Promise<boolean>((resolve) => {
    if (!strace.stderr) return resolve(false);
    createInterface({ input: strace.stderr }).on('line', (line) => {
      lines.push(line);
      // Said when every thread that runs already is attached.
      if (/^strace: Process \d+ attached/.test(line)) resolve(true);
    });
    void ended.then(() => resolve(false));
  });
  if (!(await isAttached)) throw new Error(`strace could not attach: ${lines.join(' ')}`);
}
