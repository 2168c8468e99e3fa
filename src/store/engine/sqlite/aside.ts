/** What SQLite does beside the serving thread, which better-sqlite3 would block: long reads, and copying the log into the file. */

import { Worker } from 'node:worker_threads';
import type { SqlValue } from '../../database.ts';

export type Aside = {
  all<R>(sql: string, params: SqlValue[]): Promise<R[]>;
  /** Copies what the log holds into the file, as far as readers let it; resolves when done, whatever came of it. */
  checkpoint(): Promise<void>;
  /** True once its thread has died; whoever needs one makes another. */
  readonly isGone: boolean;
  close(): Promise<void>;
};

/** `sql` null asks for a checkpoint. */
export type AsideQuestion = { id: number; sql: string | null; params: SqlValue[] };
export type AsideAnswer = { id: number; rows: unknown[]; error: null } | { id: number; rows: null; error: string };

type Waiting = { resolve: (rows: unknown[]) => void; reject: (error: Error) => void };

export function createAside(path: string): Aside {
  const worker = new Worker(new URL('./aside-thread.js', import.meta.url), { workerData: { path } });
  worker.unref();
  const waiting = new Map<number, Waiting>();
  let lastId = 0;
  worker.on('message', (answer: AsideAnswer) => {
    const one = waiting.get(answer.id);
    waiting.delete(answer.id);
    if (answer.error === null) one?.resolve(answer.rows);
    else one?.reject(new Error(answer.error));
  });
  let gone: Error | null = null;
  const end = (error: Error) => {
    gone ??= error;
    for (const one of waiting.values()) one.reject(gone);
    waiting.clear();
  };
  worker.on('error', end);
  worker.on('exit', () => end(new Error('the reading thread ended')));

  function ask(sql: string | null, params: SqlValue[]): Promise<unknown[]> {
    if (gone) return Promise.reject(gone);
    return new Promise((resolve, reject) => {
      lastId += 1;
      waiting.set(lastId, { resolve, reject });
      worker.postMessage({ id: lastId, sql, params } satisfies AsideQuestion);
    });
  }

  return {
    all: <R>(sql: string, params: SqlValue[]) => ask(sql, params) as Promise<R[]>,
    checkpoint: () =>
      ask(null, []).then(
        () => {},
        // The serving thread checkpoints by itself when the log has grown too long: nothing depends on this one.
        () => {},
      ),
    get isGone() {
      return gone !== null;
    },
    close: async () => {
      await worker.terminate();
    },
  };
}
