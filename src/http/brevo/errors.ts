/** The one table from our refusals to Brevo's status and code (docs/brevo.md), and how a refusal is written. */

import type { AppError, ErrorCode } from '../../core/error.ts';
import type { Reply } from '../call.ts';
import type { Wording } from '../facade.ts';

type WireError = {
  status: number;
  code: string;
  /** Instead of the thrower's: Brevo's own words, where the thrower is shared by all facades. */
  message?: string | ((error: AppError) => string);
};

/** docs/brevo.md lists the documented codes; the last three statuses have none there. */
export const errorTable: Readonly<Record<ErrorCode, WireError>> = {
  invalid_json: { status: 400, code: 'bad_request' },
  too_large: { status: 413, code: 'bad_request' },
  too_slow: { status: 408, code: 'bad_request' },
  unreadable: { status: 400, code: 'bad_request' },
  headers_too_large: { status: 431, code: 'bad_request' },
  missing_field: { status: 400, code: 'missing_parameter' },
  invalid_field: { status: 400, code: 'invalid_parameter' },
  invalid_parameter: { status: 400, code: 'invalid_parameter' },
  invalid_attachment: { status: 400, code: 'invalid_parameter' },
  invalid_template: { status: 400, code: 'invalid_parameter' },
  out_of_range: { status: 400, code: 'out_of_range' },
  already_exists: { status: 400, code: 'duplicate_parameter' },
  missing_api_key: { status: 401, code: 'unauthorized', message: 'authentication not found in headers' },
  invalid_api_key: { status: 401, code: 'unauthorized', message: 'Key not found' },
  restricted_api_key: { status: 403, code: 'permission_denied' },
  wrong_keys: { status: 429, code: 'too_many_requests' },
  misdirected: { status: 421, code: 'bad_request' },
  invalid_idempotency_key: { status: 400, code: 'invalid_parameter' },
  // Byte for byte: clients compare status, code and text to tell a retry from other duplicates (docs/brevo.md).
  idempotency_mismatch: {
    status: 400,
    code: 'duplicate_parameter',
    message: 'Email for the idempotency key has already been processed',
  },
  // Not `duplicate_…`: careless clients take any duplicate for success, and this one may have accepted nothing.
  idempotency_busy: { status: 429, code: 'too_many_requests' },
  not_found: { status: 404, code: 'document_not_found' },
  route_not_found: {
    status: 404,
    code: 'document_not_found',
    message: 'The requested endpoint does not exist here: docs/brevo.md lists those that do.',
  },
  method_not_allowed: { status: 405, code: 'method_not_allowed' },
  rate_limited: {
    status: 429,
    code: 'too_many_requests',
    message:
      'Too many requests: try again after the seconds in Retry-After. The server allows RATE_LIMIT requests a second.',
  },
  account_disabled: { status: 403, code: 'permission_denied' },
  first_account_only: { status: 403, code: 'permission_denied' },
  domain_not_allowed: {
    status: 400,
    code: 'invalid_parameter',
    message: ({ extra }) =>
      `Sending has been rejected because the sender you used ${extra.sender} is not valid. Validate your sender or authenticate your domain`,
  },
  daily_quota: { status: 402, code: 'not_enough_credits' },
  not_now: { status: 400, code: 'bad_request' },
  storage_full: { status: 403, code: 'permission_denied' },
  unavailable: { status: 503, code: 'service_unavailable' },
  internal: { status: 500, code: 'internal_server_error' },
};

/** `code`, `message`, then the extras. The cause is never shown. */
function renderError(error: AppError): Reply {
  const { status, code, message: worded = error.message } = errorTable[error.code];
  const said = typeof worded === 'string' ? worded : worded(error);
  const message = error.next === null ? said : `${said.replace(/(?<=[^.])$/, '.')} ${error.next}`;
  const body = JSON.stringify({ code, message, ...error.extra });
  const { retryAfterSeconds } = error;
  // Brevo sends none; its SDKs read this one (docs/brevo.md).
  const headers: Record<string, string> =
    retryAfterSeconds === null ? {} : { 'retry-after': String(Math.max(1, Math.ceil(retryAfterSeconds))) };
  return { status, body, headers };
}

export const wording: Wording = {
  renderError,
  limitHeaders: ({ limit, remaining, resetSeconds }) => ({
    'x-sib-ratelimit-limit': String(limit),
    'x-sib-ratelimit-remaining': String(remaining),
    // Seconds left, not a moment.
    'x-sib-ratelimit-reset': String(resetSeconds),
  }),
};
