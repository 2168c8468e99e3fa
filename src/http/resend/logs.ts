/** /logs: what an account asked of the API lately. Bodies are not kept: they are the contents of mails. */

import { AppError } from '../../core/error.ts';
import type { Reader } from '../../store/database.ts';
import { findRequestLog, listRequestLogs, type RequestLog } from '../../store/request-logs.ts';
import type { Call, Reply } from '../call.ts';
import { parseEmailId, parsePagination } from './parse-query.ts';
import { renderTime } from './render.ts';

export type LogParts = { database: Reader };

export async function showLogs({ database }: LogParts, call: Call): Promise<Reply> {
  const page = parsePagination(call.query());
  const { logs, hasMore } = await listRequestLogs(database, call.caller.account, page);
  return { status: 200, body: JSON.stringify({ object: 'list', has_more: hasMore, data: logs.map(summaryOf) }) };
}

export async function showLog({ database }: LogParts, call: Call): Promise<Reply> {
  const log = await findRequestLog(database, call.caller.account, parseEmailId(call.param('id')));
  if (!log) throw new AppError('not_found', 'Log not found');
  const shown = { object: 'log', ...summaryOf(log), request_body: null, response_body: null };
  return { status: 200, body: JSON.stringify(shown) };
}

function summaryOf({ id, at, method, endpoint, status, userAgent }: RequestLog) {
  return {
    id,
    created_at: renderTime(at),
    endpoint,
    method,
    response_status: status,
    user_agent: userAgent,
  };
}
