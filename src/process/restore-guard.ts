/**
 * Notices a database that went back in time: a witness outside it remembers how far it had come. What such a database
 * takes for open may have left since, so all of it is held until an operator says otherwise.
 */

import { randomUUID } from 'node:crypto';
import { open, readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../core/clock.ts';
import { log } from '../log.ts';
import type { Database, Transaction } from '../store/database.ts';
import { beginGeneration, findProgress, type Progress } from '../store/progress.ts';
import { beginHold, findWentBack, lockHistory } from '../store/went-back.ts';
import { finishHold } from '../use-cases/hold.ts';
import type { Arrivals } from './arrivals.ts';
import { makeStateDir } from './state-dir.ts';

/** What the file in STATE_DIR says. */
export type Witness = Pick<Progress, 'generation' | 'eventId'>;

export class RestoreGuard {
  readonly #database: Database;
  readonly #clock: Clock;
  readonly #stateDir: string;
  /** What was last seen: by this process, so that others on the same folder cannot make it look back. */
  #seen: Witness | null = null;

  constructor(options: { database: Database; clock: Clock; stateDir: string; arrivals?: Arrivals }) {
    this.#database = options.database;
    this.#clock = options.clock;
    this.#stateDir = options.stateDir;
    // At once: until it is held nothing is claimed. Whatever fails is done by the next check.
    options.arrivals?.onWentBack(() => void this.finish().catch((error: unknown) => log.choreFailed('hold', error)));
  }

  /**
   * Before anything is recovered or claimed: holds everything where the database is behind its witness, and begins a generation.
   * @throws Error when the witness cannot be kept.
   */
  async start(): Promise<void> {
    makeStateDir(this.#stateDir);
    const served = await findProgress(this.#database);
    const databaseId = served?.databaseId ?? randomUUID();
    const witness = await readWitness(this.#stateDir, databaseId);
    if (served && !witness) log.noWitness(this.#stateDir);
    await this.#database.write(async (tx) => {
      await this.#judge(tx, witness);
      await beginGeneration(tx, databaseId, witness?.generation ?? 0);
    });
    await this.finish();
    await this.check();
  }

  /** About once a second: writes down how far the database has come. One that went back under a running server is held, too. */
  async check(): Promise<void> {
    if ((await findWentBack(this.#database))?.isDone === false) await this.finish();
    const progress = await findProgress(this.#database);
    if (!progress) return;
    const { databaseId, generation, eventId } = progress;
    const seen = this.#seen;
    if (seen && isBehind(progress, seen)) {
      await this.#database.write(async (tx) => {
        if (await this.#judge(tx, seen)) await beginGeneration(tx, databaseId, seen.generation);
      });
      return this.finish();
    }
    if (seen && !isBehind(seen, progress)) return;
    await writeWitness(this.#stateDir, databaseId, { generation, eventId });
    this.#seen = { generation, eventId };
  }

  /** Whoever found it: what was open then is held before anything of it is claimed. */
  async finish(): Promise<void> {
    const held = await finishHold(this.#database, () => this.#clock.now());
    if (held !== null) log.wentBack(held);
  }

  /** Read after the witness, and one process after the other: what one has found is no news to the next. */
  async #judge(tx: Transaction, witness: Witness | null): Promise<boolean> {
    await lockHistory(tx);
    const progress = await findProgress(tx);
    if (!progress || !witness || !isBehind(progress, witness)) return false;
    await beginHold(tx, { at: this.#clock.now(), from: witness });
    return true;
  }
}

/** Earlier than the witness has seen it; never where there is no witness. */
export function isBehind(progress: Witness, witness: Witness | null): boolean {
  if (!witness) return false;
  if (progress.generation !== witness.generation) return progress.generation < witness.generation;
  return progress.eventId < witness.eventId;
}

/** Null where this database was never served with this folder. */
export async function readWitness(stateDir: string, databaseId: string): Promise<Witness | null> {
  const path = witnessPath(stateDir, databaseId);
  try {
    const { generation, eventId } = JSON.parse(await readFile(path, 'utf8')) as Witness;
    return { generation, eventId };
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw new Error(`STATE_DIR: the witness ${path} cannot be read: ${(cause as Error).message}`, { cause });
  }
}

/** Also of one that is being written. */
export function isWitness(fileName: string): boolean {
  return /^sendonce-[\w-]+\.witness(\.[\w-]+)?$/.test(fileName);
}

function witnessPath(stateDir: string, databaseId: string): string {
  return join(stateDir, `sendonce-${databaseId}.witness`);
}

/** Whole or not at all, and on the disk when it resolves. */
async function writeWitness(stateDir: string, databaseId: string, witness: Witness): Promise<void> {
  const path = witnessPath(stateDir, databaseId);
  // Of its own: two processes of one database may write at once, in containers under the same process id.
  const next = `${path}.${randomUUID()}`;
  try {
    const file = await open(next, 'w');
    try {
      await file.writeFile(`${JSON.stringify(witness)}\n`);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(next, path);
    const folder = await open(stateDir, 'r');
    await folder.sync().finally(() => folder.close());
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    const advice = code === 'ENOENT' ? `. Make the folder again: mkdir -m 700 ${stateDir}` : '';
    // Under one name: what fails the same way each second is said once.
    const why = message.replace(next, path);
    throw new Error(`STATE_DIR: the witness of the restore guard cannot be written: ${why}${advice}`, { cause });
  }
}
