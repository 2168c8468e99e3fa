/** Which sync of the log covers what a server has said: found in its system calls, for each answer and each dot. */

import type { Call } from './traced-disk.ts';

export type Said = {
  what: 'answer' | 'dot';
  id: string;
  /** That made it true: the log's first with the email, or with its hand-off. Null: none since the trace began. */
  commit: number | null;
  /** That had ended before it was said, and began after the commit was written. Null: none. */
  sync: number | null;
};

/** The head of a frame of SQLite's log: page number, size of the file after a commit (else 0), salts, checksums. */
const frameHeadBytes = 24;
const sizeAt = 4;

export class Coverage {
  readonly said: Said[] = [];
  readonly #log: string;
  readonly #relayPort: number;
  #commits = 0;
  #syncs = 0;
  /** Pages of the commit that is being written. */
  #pages: string[] = [];
  #isLastFrame = false;
  /** Threads that are syncing: which sync that is, and the last commit it is sure to cover. */
  readonly #syncing = new Map<string, { sync: number; commit: number }>();
  /** By the commit up to which it covers, in order. */
  readonly #ended: { sync: number; commit: number }[] = [];
  readonly #accepted = new Map<string, number>();
  readonly #handedOff = new Map<string, number>();
  /** The message that was last begun on a session with the relay. */
  readonly #begun = new Map<string, string>();

  constructor(databasePath: string, relayPort: number) {
    this.#log = `${databasePath}-wal`;
    this.#relayPort = relayPort;
  }

  /** What it says, where it says something irrevocable: at the moment the call begins. */
  play(call: Call): Said | null {
    if (call.file !== this.#log) return call.begins ? this.#hear(call) : null;
    if (call.name.endsWith('sync')) this.#playSync(call);
    else this.#playWrite(call);
    return null;
  }

  #playWrite(call: Call): void {
    if (!call.begins || call.hasFailed || call.name !== 'pwrite64') return;
    const { bytes } = call;
    if (bytes.length === frameHeadBytes) this.#isLastFrame = bytes.readUInt32BE(sizeAt) > 0;
    else this.#pages.push(bytes.toString('latin1'));
    if (bytes.length > frameHeadBytes && this.#isLastFrame) this.#commit();
  }

  #commit(): void {
    this.#isLastFrame = false;
    this.#commits += 1;
    for (const page of this.#pages.splice(0)) {
      for (const [id] of page.matchAll(idPattern)) note(this.#accepted, id, this.#commits);
      // `part`, between the two, takes no byte where it is 0.
      for (const [, id = ''] of page.matchAll(handedOffPattern)) note(this.#handedOff, id, this.#commits);
    }
  }

  #playSync({ thread, begins, ends, hasFailed }: Call): void {
    if (begins) this.#syncing.set(thread, { sync: ++this.#syncs, commit: this.#commits });
    const one = this.#syncing.get(thread);
    if (ends && !hasFailed && one) this.#ended.push(one);
  }

  #hear({ file, bytes }: Call): Said | null {
    const text = bytes.toString('latin1');
    const id = isOf(file, this.#relayPort) ? this.#dotIn(file, text) : answeredIn(text);
    if (!id) return null;
    const what = isOf(file, this.#relayPort) ? 'dot' : 'answer';
    const commit = (what === 'dot' ? this.#handedOff : this.#accepted).get(id) ?? null;
    const sync = this.#ended.find((one) => commit !== null && one.commit >= commit)?.sync ?? null;
    const said = { what, id, commit, sync } as const;
    this.said.push(said);
    return said;
  }

  #dotIn(session: string, text: string): string | undefined {
    const begun = /^Message-ID: <([0-9a-f-]{36})@/im.exec(text)?.[1];
    if (begun) this.#begun.set(session, begun);
    return /(^|\r\n)\.\r\n$/.test(text) ? this.#begun.get(session) : undefined;
  }
}

const idPattern = /[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}/g;
const handedOffPattern = new RegExp(`(${idPattern.source})handoff`, 'g');

/** Only the first: a page is written again and again. */
function note(into: Map<string, number>, id: string, commit: number): void {
  if (!into.has(id)) into.set(id, commit);
}

function isOf(file: string, relayPort: number): boolean {
  return file.endsWith(`->127.0.0.1:${relayPort}]`);
}

function answeredIn(text: string): string | undefined {
  return /^HTTP\/1\.1 200 .*"id":"([0-9a-f-]{36})"/s.exec(text)?.[1];
}
