/** What stands in the URL of a list: `limit`, `offset`, `sort` and yes-or-no filters (docs/brevo.md). */

import { AppError } from '../../core/error.ts';
import { invalid } from './refusal.ts';

export type Query = Readonly<Record<string, string | undefined>>;

export type Page = { limit: number; offset: number; order: 'asc' | 'desc' };

/** Beyond it nobody pages, and both engines still count. */
const offsetMax = 1_000_000_000;

/** A limit beyond the most is refused, not cut (docs/brevo.md). Newest first, unless asked otherwise. */
export function parsePage(query: Query, limits: { limitDefault: number; limitMax: number }): Page {
  const limit = parseCount('limit', query.limit) ?? limits.limitDefault;
  // Byte for byte what clients know.
  if (limit > limits.limitMax) throw new AppError('out_of_range', 'Limit exceeds max value');
  return { limit, offset: parseCount('offset', query.offset) ?? 0, order: parseOrder(query.sort) };
}

/** Null where absent. */
export function parseFlag(name: string, text: string | undefined): boolean | null {
  if (!text) return null;
  if (text !== 'true' && text !== 'false') throw invalid(name, 'it must be true or false');
  return text === 'true';
}

function parseCount(name: string, text: string | undefined): number | null {
  if (!text) return null;
  if (!/^\d{1,15}$/.test(text)) throw invalid(name, 'it must be a whole number, 0 or more');
  if (name === 'offset' && Number(text) > offsetMax) throw new AppError('out_of_range', 'Offset exceeds max value');
  return Number(text);
}

function parseOrder(text: string | undefined): 'asc' | 'desc' {
  if (text !== undefined && text !== '' && text !== 'asc' && text !== 'desc') {
    throw invalid('sort', 'it must be asc or desc');
  }
  return text === 'asc' ? 'asc' : 'desc';
}
