/** What SQLite does beside the serving thread, which better-sqlite3 would block: long reads, and copying the log into the file. */

import { Worker } from 'node:worker_threads';
import type { SqlValue } from '../../database.ts';

/** What one thread of ours does, one thing after the other. */
export type Aside = {
  all<R>(sql: string, params: SqlValue[]): Promise<R[]>;
  /** Copies what the log holds into the file, as far as readers let it, and syncs both. */
  copyLog(): Promise<Copied>;
  /** Once all of it has been copied, and as far as readers let it: the next commits are written over what it held. */
  beginLogAnew(): Promise<void>;
  /** Once all of it has been copied, and while nobody reads in it: its file is empty then. False: somebody does. */
  emptyLog(): Promise<boolean>;
  /** True once its thread has died; to go on one makes another. */
  readonly isGone: boolean;
  close(): Promise<void>;
};

/** Pages that the log holds, and how many of those are in the file, too. */
export type Copied = { pages: number; copied: number };

type Ask =
  | { what: 'read'; sql: string; params: SqlValue[] }
  | { what: 'copy the log' }
  | { what: 'begin the log anew' }
  | { what: 'empty the log' };
export type AsideQuestion = { id: number; ask: Ask };
export type AsideAnswer =
  | { id: number; value: unknown; error: null }
  | { id: number; value: null; error: { message: string; code: string | null } };

export class AsideError extends Error {
  override readonly name = 'AsideError';
  /** SQLite's. */
  readonly code: string | null;

  constructor(message: string, code: string | null) {
    super(message);
    this.code = code;
  }
}

type Waiting = { resolve: (value: unknown) => void; reject: (error: Error) => void };

export function createAside(path: string): Aside {
  const worker = new Worker(new URL('./aside-thread.js', import.meta.url), { workerData: { path } });
  worker.unref();
  const waiting = new Map<number, Waiting>();
  let lastId = 0;
  worker.on('message', ({ id, value, error }: AsideAnswer) => {
    const one = waiting.get(id);
    waiting.delete(id);
    if (error === null) one?.resolve(value);
    else one?.reject(new AsideError(error.message, error.code));
  });
  let gone: Error | null = null;
  const end = (error: Error) => {
    gone ??= error;
    for (const one of waiting.values()) one.reject(gone);
    waiting.clear();
  };
  worker.on('error', end);
  worker.on('exit', () => end(new Error('the thread ended')));

  function asks<T>(ask: Ask): Promise<T> {
    if (gone) return Promise.reject(gone);
    return new Promise<unknown>((resolve, reject) => {
      lastId += 1;
      waiting.set(lastId, { resolve, reject });
      worker.postMessage({ id: lastId, ask } satisfies AsideQuestion);
    }) as Promise<T>;
  }

  return {
    all: (sql, params) => asks({ what: 'read', sql, params }),
    copyLog: () => asks({ what: 'copy the log' }),
    beginLogAnew: () => asks({ what: 'begin the log anew' }),
    emptyLog: () => asks({ what: 'empty the log' }),
    get isGone() {
      return gone !== null;
    },
    close: async () => {
      await worker.terminate();
    },
  };
}
