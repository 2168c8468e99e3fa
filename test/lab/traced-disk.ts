/** What a disk holds if only what was synced is certain: replayed from the system calls of a server, to cut the power anywhere. */

import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import type { Random } from '../support/random.ts';

/** One call, as strace tells it; a call that another thread's line interrupts begins and ends on lines of its own. */
export type Call = {
  thread: string;
  name: string;
  file: string;
  bytes: Buffer;
  offset: number;
  begins: boolean;
  ends: boolean;
  hasFailed: boolean;
};

/** More than anything is written by at once: what is cut short could not be replayed. */
const stringBytesMax = 4 * 1024 * 1024;

/**
 * Runs another command so that the output tells all that it writes, truncates and syncs; `-D`: its process id is the command's;
 * `--seccomp-bpf`: it stands still at these calls only.
 */
export function tracedWrites(output: string, command: string[], ...more: string[]): string[] {
  const calls = 'trace=pwrite64,write,writev,ftruncate,fsync,fdatasync';
  return [
    'strace',
    '-D',
    '--seccomp-bpf',
    '-f',
    '-yy',
    '-xx',
    '-s',
    String(stringBytesMax),
    '-e',
    calls,
    '-o',
    output,
    ...more,
    '--',
    ...command,
  ];
}

export function readCalls(output: string): Call[] {
  const calls: Call[] = [];
  const open = new Map<string, Call>();
  for (const line of readFileSync(output, 'latin1').split('\n')) {
    const resumed = /^(\d+) +<\.\.\. (\w+) resumed>.* = (-?\d+)/.exec(line);
    if (resumed) {
      const [, thread = '', name, result] = resumed;
      const begun = open.get(thread);
      open.delete(thread);
      const hasFailed = Number(result) < 0;
      if (begun && begun.name === name) calls.push({ ...begun, begins: false, ends: true, hasFailed });
      continue;
    }
    const begun = /^(\d+) +(\w+)\(\d+<(.*?)>(?:, (.*?))?(?:\) += (-?\d+).*| <unfinished \.\.\.>)$/.exec(line);
    if (!begun) continue;
    const [, thread = '', name = '', file = '', args = '', result] = begun;
    const call: Call = {
      thread,
      name,
      file: unhex(file),
      bytes: bytesIn(args),
      offset: Number(/(\d+)$/.exec(args)?.[1] ?? 0),
      begins: true,
      ends: result !== undefined,
      hasFailed: Number(result ?? 0) < 0,
    };
    if (!call.ends) open.set(thread, call);
    calls.push(call);
  }
  return calls;
}

/** strace writes what it knows of a socket in plain text, and paths in hex. */
function unhex(text: string): string {
  return text.startsWith('\\x') ? Buffer.from(text.replaceAll('\\x', ''), 'hex').toString() : text;
}

function bytesIn(args: string): Buffer {
  assert(!args.includes('"...'), 'the trace has all bytes of each write');
  const strings = args.match(/"[^"]*"/g) ?? [];
  return Buffer.concat(strings.map((one) => Buffer.from(one.slice(1, -1).replaceAll('\\x', ''), 'hex')));
}

/** Bytes at an offset, or a new length. */
type Change = { number: number; offset: number; bytes: Buffer | null };

/** The unit a disk writes whole. */
const sectorBytes = 512;

class TracedFile {
  /** What the last sync has made certain. */
  #synced: Buffer;
  /** Made since, in order: each of them may be on the disk, or not, or in part. */
  #unsynced: Change[] = [];
  #changes = 0;
  /** Threads that are syncing, and the last change that each is sure to cover. */
  readonly #syncing = new Map<string, number>();

  constructor(bytes: Buffer) {
    this.#synced = bytes;
  }

  play(call: Call): void {
    const isSync = call.name === 'fsync' || call.name === 'fdatasync';
    if (!isSync && call.begins && !call.hasFailed) {
      const bytes = call.name === 'ftruncate' ? null : call.bytes;
      this.#unsynced.push({ number: ++this.#changes, offset: call.offset, bytes });
    }
    if (isSync && call.begins) this.#syncing.set(call.thread, this.#changes);
    if (isSync && call.ends) this.#sync(call, this.#syncing.get(call.thread) ?? 0);
  }

  /**
   * A sync that fails leaves nothing to be synced later: Linux counts what it could not write as clean, goes on showing it to
   * whoever reads, and forgets it at the next power cut (https://wiki.postgresql.org/wiki/Fsync_Errors).
   */
  #sync({ hasFailed }: Call, last: number): void {
    const isCovered = (change: Change) => change.number <= last;
    const covered = this.#unsynced.filter(isCovered);
    this.#unsynced = this.#unsynced.filter((change) => !isCovered(change));
    if (!hasFailed) this.#synced = changed(this.#synced, covered);
  }

  /** With `random`, some sectors of what was not synced are there, too. */
  bytes(random: Random | null): Buffer {
    if (!random) return this.#synced;
    return changed(
      this.#synced,
      this.#unsynced.flatMap((change) => sectorsOf(change).filter(() => random() < 0.5)),
    );
  }
}

/** All of them in one copy: a file is megabytes, and a log has thousands of sectors. */
function changed(before: Buffer, changes: readonly Change[]): Buffer {
  const ends = changes.map(({ offset, bytes }) => offset + (bytes?.length ?? 0));
  const after = Buffer.alloc(ends.reduce((most, end) => Math.max(most, end), before.length));
  before.copy(after);
  let length = before.length;
  for (const { offset, bytes } of changes) {
    // What is cut off is gone, should the file grow again.
    if (bytes === null) after.fill(0, offset, Math.max(offset, length));
    else bytes.copy(after, offset);
    length = bytes === null ? offset : Math.max(length, offset + bytes.length);
  }
  return after.subarray(0, length);
}

function sectorsOf(change: Change): Change[] {
  const { offset, bytes } = change;
  if (bytes === null) return [change];
  const sectors: Change[] = [];
  for (let start = 0; start < bytes.length; ) {
    const end = Math.min(bytes.length, start + sectorBytes - ((offset + start) % sectorBytes));
    sectors.push({ ...change, offset: offset + start, bytes: bytes.subarray(start, end) });
    start = end;
  }
  return sectors;
}

/** The database and its log. What is shared in memory is rebuilt from the log by whoever opens it first. */
export class TracedDisk {
  readonly #path: string;
  readonly #files = new Map<string, TracedFile>();

  /** From the files as they are, which nobody has open: all of them count as synced. */
  constructor(path: string) {
    this.#path = path;
    this.reread();
  }

  /** Begins anew. */
  reread(): void {
    const path = this.#path;
    for (const end of ['', '-wal']) this.#files.set(path + end, new TracedFile(readOrNothing(path + end)));
  }

  /** Calls on other files, and on sockets, change nothing. False for those. */
  play(call: Call): boolean {
    const file = this.#files.get(call.file);
    file?.play(call);
    return file !== undefined;
  }

  /** Writes what a cut would leave to `path`. */
  cut(path: string, random: Random | null): void {
    for (const end of ['', '-wal']) {
      writeFileSync(path + end, this.#files.get(this.#path + end)?.bytes(random) ?? Buffer.alloc(0));
    }
  }
}

function readOrNothing(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch {
    return Buffer.alloc(0);
  }
}
