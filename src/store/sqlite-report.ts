/** Long reads of SQLite in a thread of their own: better-sqlite3 blocks the thread it runs on. */

import { Worker } from 'node:worker_threads';
import type { SqlValue } from './database.ts';

export type ReportThread = {
  all<R>(sql: string, params: SqlValue[]): Promise<R[]>;
  close(): Promise<void>;
};

export type ReportQuestion = { id: number; sql: string; params: SqlValue[] };
export type ReportAnswer = { id: number; rows: unknown[]; error: null } | { id: number; rows: null; error: string };

type Waiting = { resolve: (rows: unknown[]) => void; reject: (error: Error) => void };

export function createReportThread(path: string): ReportThread {
  const worker = new Worker(new URL('./sqlite-report-thread.js', import.meta.url), { workerData: { path } });
  worker.unref();
  const waiting = new Map<number, Waiting>();
  let lastId = 0;
  worker.on('message', (answer: ReportAnswer) => {
    const one = waiting.get(answer.id);
    waiting.delete(answer.id);
    if (answer.error === null) one?.resolve(answer.rows);
    else one?.reject(new Error(answer.error));
  });
  worker.on('error', (error) => {
    for (const one of waiting.values()) one.reject(error);
    waiting.clear();
  });
  return {
    all: <R>(sql: string, params: SqlValue[]) =>
      new Promise<R[]>((resolve, reject) => {
        lastId += 1;
        waiting.set(lastId, { resolve: (rows) => resolve(rows as R[]), reject });
        worker.postMessage({ id: lastId, sql, params } satisfies ReportQuestion);
      }),
    close: async () => {
      await worker.terminate();
    },
  };
}
