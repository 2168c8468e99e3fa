/** What accounts asked of the API lately: the newest requests of each. */

import type { Reader, Transaction } from './database.ts';
import { type ListPage, readPage } from './list-page.ts';

export type RequestLog = {
  account: string;
  id: string;
  at: number;
  method: string;
  /** The path, without addresses. */
  endpoint: string;
  status: number;
  userAgent: string | null;
};

type Row = Omit<RequestLog, 'userAgent'> & { user_agent: string | null };

/** So many of an account are kept: a day of a small app, some seconds of a large one. */
export const requestLogsMax = 1_000;

export async function insertRequestLogs(tx: Transaction, account: string, logs: readonly RequestLog[]): Promise<void> {
  for (const { id, at, method, endpoint, status, userAgent } of logs) {
    await tx.run(
      'insert into request_logs (account, id, at, method, endpoint, status, user_agent) values (?, ?, ?, ?, ?, ?, ?)',
      ...[account, id, at, method, endpoint, status, userAgent],
    );
  }
  await tx.run(
    `delete from request_logs where account = ? and id <=
       (select id from request_logs where account = ? order by id desc limit 1 offset ?)`,
    account,
    account,
    requestLogsMax,
  );
}

export async function listRequestLogs(
  reader: Reader,
  account: string,
  page: ListPage,
): Promise<{ logs: RequestLog[]; hasMore: boolean }> {
  const query = { sql: 'select * from request_logs where account = ?', params: [account] };
  const { rows, hasMore } = await readPage<Row>(reader, query, page);
  return { logs: rows.map(toLog), hasMore };
}

export async function findRequestLog(reader: Reader, account: string, id: string): Promise<RequestLog | null> {
  const [row] = await reader.all<Row>('select * from request_logs where account = ? and id = ?', account, id);
  return row ? toLog(row) : null;
}

function toLog({ user_agent: userAgent, ...row }: Row): RequestLog {
  return { ...row, userAgent };
}
