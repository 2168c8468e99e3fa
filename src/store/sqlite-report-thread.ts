/** The thread behind `sqlite-report.ts`: answers one question at a time from a read-only connection. */

import { parentPort, workerData } from 'node:worker_threads';
import Sqlite from 'better-sqlite3';
import type { ReportAnswer, ReportQuestion } from './sqlite-report.ts';

const connection = new Sqlite((workerData as { path: string }).path, { readonly: true, timeout: 5_000 });

parentPort?.on('message', (question: ReportQuestion) => {
  parentPort?.postMessage(answer(question));
});

function answer({ id, sql, params }: ReportQuestion): ReportAnswer {
  try {
    return { id, rows: connection.prepare(sql).all(...params), error: null };
  } catch (error) {
    return { id, rows: null, error: String(error) };
  }
}
