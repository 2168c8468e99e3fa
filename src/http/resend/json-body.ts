/** Bodies that are an object, answers in compact JSON, and the names and lists that many subjects share. */

import { AppError } from '../../core/error.ts';
import type { ListPage } from '../../store/list-page.ts';
import { parseJson } from '../body.ts';
import type { Call, Reply } from '../call.ts';
import { breaksLine, type Fields, isAbsent, isFields, wellFormed } from '../fields.ts';
import { resendLimits } from './limits.ts';
import { invalidField, missingField } from './parse-fields.ts';
import { parsePagination } from './parse-query.ts';

/** An empty body is an empty object, as SDKs send it. */
export async function readFields(call: Call): Promise<Fields> {
  const body = parseJson(await call.body()) ?? {};
  if (!isFields(body)) throw new AppError('invalid_field', 'The request body must be a JSON object.');
  return body;
}

export function reply(status: number, body: unknown): Reply {
  return { status, body: JSON.stringify(body) };
}

export function parseName(fields: Fields, field = 'name'): string {
  if (isAbsent(fields[field])) throw missingField(field);
  return parseLine(field, fields[field]);
}

/** A text of one line. */
export function parseLine(field: string, value: unknown, charsMax = resendLimits.nameCharsMax): string {
  if (typeof value !== 'string' || value.length > charsMax || breaksLine(value)) {
    throw invalidField(field, `It must be a text of one line and at most ${charsMax} characters.`);
  }
  return wellFormed(value);
}

/** `always`: also where the request names no limit; the real API's older lists have all there is then. */
export function parseListPage(call: Call, always: 'always' | 'if named'): ListPage {
  const query = call.query();
  const page = parsePagination(query);
  return query.limit || always === 'always' ? page : { ...page, limit: null };
}
