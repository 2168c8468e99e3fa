/** Processes of the benchmark: each side in one of its own, asked over IPC, its CPU time read from the system. */

import { type ChildProcess, fork, type Serializable, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

export type Child = {
  /** CPU seconds used so far by all its threads; null where the system does not tell. */
  cpuSeconds(): number | null;
  /** The most memory it ever held; null where the system does not tell. */
  peakBytes(): number | null;
  /** The p99 of how late its event loop was since this was last asked. Only the real program is asked. */
  loopP99Ms?(): Promise<number>;
  stop(): Promise<void>;
};

/** A helper of ours, which answers each message with one message. */
export type Helper<Order, Answer> = Child & { ask(order: Order): Promise<Answer> };

export type Refusal = { error: string };

/** Whatever ends the benchmark ends them too: the real program would live on. */
const running = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/** Linux counts in hundredths of a second, whatever the kernel's own tick. */
const ticksPerSecond = 100;

/** `name` is a file beside this one, without its extension; its first message says that it is ready. */
export async function startHelper<Order extends Serializable, Answer>(
  name: string,
  args: string[] = [],
): Promise<{ helper: Helper<Order, Answer>; ready: Answer }> {
  const child = fork(join(import.meta.dirname, `${name}.js`), args, { serialization: 'advanced' });
  watch(child);
  const ready = await nextAnswer<Answer>(child, name);
  const helper = {
    ...childOf(child),
    ask(order: Order) {
      child.send(order);
      return nextAnswer<Answer>(child, name);
    },
  };
  return { helper, ready };
}

async function nextAnswer<Answer>(child: ChildProcess, name: string): Promise<Answer> {
  const answer = await new Promise<Answer | Refusal>((resolve, reject) => {
    const died = () => reject(new Error(`${name} ended unasked`));
    child.once('exit', died);
    child.once('message', (message) => {
      child.off('exit', died);
      resolve(message as Answer | Refusal);
    });
  });
  if (typeof answer === 'object' && answer && 'error' in answer) throw new Error(`${name}: ${answer.error}`);
  return answer as Answer;
}

/** The other end of `ask`: answers what `work` makes of each message, or why it could not. Ends with its parent. */
export function serveHelper<Order, Answer>(ready: Answer, work: (order: Order) => Promise<Answer>): void {
  process.on('disconnect', () => process.exit(0));
  process.on('message', (order: Order) => {
    work(order).then(
      (answer) => process.send?.(answer),
      (error: Error) => process.send?.({ error: error.stack ?? error.message }),
    );
  });
  process.send?.(ready);
}

export type Sendonce = Child & { port: number };

/** The real program, as it is deployed; `build` is another one's folder. `flags` are for node itself, `under` runs it. */
export async function startSendonce(
  settings: Record<string, string>,
  flags: string[],
  { build = join(import.meta.dirname, '..'), under = [] }: { build?: string; under?: string[] } = {},
): Promise<Sendonce> {
  const env = { ...process.env, HOST: '127.0.0.1', PORT: '0', LOG_LEVEL: 'error', ...settings };
  const watching = `--import=${pathToFileURL(join(import.meta.dirname, 'loop-delay.js'))}`;
  const [file = '', ...args] = [...under, process.execPath, watching, ...flags, join(build, 'src/main.js')];
  const child = spawn(file, args, { env, stdio: ['ignore', 'pipe', 'inherit', 'ipc'] });
  watch(child);
  const port = await new Promise<number>((resolve, reject) => {
    let said = '';
    child.once('exit', () => reject(new Error(`sendonce ended at its start: ${said}`)));
    child.stdout?.on('data', (chunk) => {
      said += chunk;
      const found = /listens on http:\/\/[^:]+:(\d+)/.exec(said)?.[1];
      if (found) resolve(Number(found));
    });
  });
  const loopP99Ms = () => {
    child.send('loop');
    return nextAnswer<number>(child, 'sendonce');
  };
  return { ...childOf(child), port, loopP99Ms };
}

function watch(child: ChildProcess): void {
  running.add(child);
  child.once('exit', () => running.delete(child));
}

function childOf(child: ChildProcess): Child {
  return {
    cpuSeconds: () => (child.pid === undefined ? null : cpuSecondsOf(child.pid)),
    peakBytes: () => (child.pid === undefined ? null : peakBytesOf(child.pid)),
    async stop() {
      const ended = once(child, 'exit');
      child.kill('SIGTERM');
      await ended;
    },
  };
}

/** utime and stime, fields 14 and 15 of proc(5); counted from the end of the name, which may hold spaces. */
function cpuSecondsOf(pid: number): number | null {
  return ticksOf(pid, [11, 12]);
}

/** A process with all it has started and what of that has ended: PostgreSQL's sessions are children of one. Null as above. */
export function treeCpuSeconds(pid: number): number | null {
  try {
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').split(' ').filter(Boolean);
    // cutime and cstime are of those that have ended.
    const all = [ticksOf(pid, [11, 12, 13, 14]), ...children.map((child) => cpuSecondsOf(Number(child)))];
    return all.reduce((sum: number, one) => sum + (one ?? 0), 0);
  } catch {
    return null;
  }
}

/** VmHWM of proc(5), in kB. */
function peakBytesOf(pid: number): number | null {
  try {
    const [, kilobytes] = /^VmHWM:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1')) ?? [];
    return kilobytes === undefined ? null : Number(kilobytes) * 1_024;
  } catch {
    return null;
  }
}

function ticksOf(pid: number, wanted: number[]): number | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return wanted.reduce((sum, field) => sum + Number(fields[field]), 0) / ticksPerSecond;
  } catch {
    return null;
  }
}
