/** What stands in the URL: paging cursors and ids (docs/resend.md). */

import { AppError } from '../../core/error.ts';
import { type ResendLimits, resendLimits } from './limits.ts';

export type Pagination = {
  limit: number;
  /** The id after which the page starts, itself excluded; at most one of the two is set. */
  after: string | null;
  before: string | null;
};

export function parsePagination(
  query: Readonly<Record<string, string | undefined>>,
  limits: ResendLimits = resendLimits,
): Pagination {
  const after = query.after ? parseId('after', query.after) : null;
  const before = query.before ? parseId('before', query.before) : null;
  if (after !== null && before !== null) {
    throw new AppError('invalid_field', 'The `after` and `before` parameters cannot be used together.');
  }
  return { limit: query.limit ? parseLimit(query.limit, limits) : limits.pageSizeDefault, after, before };
}

/** A page of a list that is short enough to be held whole, in the order it is shown in. */
export function sliceOf<T extends { id: string }>(all: T[], page: Pagination): { items: T[]; hasMore: boolean } {
  if (page.before !== null) {
    const end = all.findIndex((one) => one.id === page.before);
    return { items: all.slice(0, Math.max(end, 0)).slice(-page.limit), hasMore: end > page.limit };
  }
  const start = page.after === null ? 0 : all.findIndex((one) => one.id === page.after) + 1;
  return { items: all.slice(start, start + page.limit), hasMore: start + page.limit < all.length };
}

/** Lower-case. What is no UUID is 422 (docs/resend.md), what is one but unknown is the caller's 404. */
export function parseEmailId(text: string): string {
  return parseId('id', text);
}

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

function parseId(parameter: string, text: string): string {
  if (!uuid.test(text)) throw new AppError('invalid_parameter', `The \`${parameter}\` must be a valid UUID.`);
  return text.toLowerCase();
}

function parseLimit(text: string, limits: ResendLimits): number {
  const limit = /^\d{1,6}$/.test(text) ? Number(text) : 0;
  if (limit >= 1 && limit <= limits.pageSizeMax) return limit;
  // Byte for byte what the Node SDK's tests record.
  throw new AppError(
    'invalid_field',
    `The pagination limit must be a number between 1 and ${limits.pageSizeMax}. See https://resend.com/docs/pagination for more information.`,
  );
}
