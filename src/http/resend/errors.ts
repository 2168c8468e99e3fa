/** The one table from our refusals to Resend's status and name (docs/resend.md), and how a refusal is written. */

import { AppError, type ErrorCode } from '../../core/error.ts';
import type { Wording } from '../facade.ts';

type WireError = { status: number; name: string };

/**
 * Every name is one of the 21 that all SDKs know (docs/resend.md): PHP takes an unknown one for success, .NET throws.
 * Hence no `service_unavailable`, `missing_required_parameter` or anything of our own.
 */
export const errorTable: Readonly<Record<ErrorCode, WireError>> = {
  invalid_json: { status: 400, name: 'validation_error' },
  too_large: { status: 413, name: 'validation_error' },
  too_slow: { status: 408, name: 'validation_error' },
  unreadable: { status: 400, name: 'validation_error' },
  headers_too_large: { status: 431, name: 'validation_error' },
  missing_field: { status: 422, name: 'missing_required_field' },
  invalid_field: { status: 422, name: 'validation_error' },
  invalid_parameter: { status: 422, name: 'invalid_parameter' },
  invalid_attachment: { status: 422, name: 'invalid_attachment' },
  out_of_range: { status: 422, name: 'validation_error' },
  already_exists: { status: 422, name: 'validation_error' },
  missing_api_key: { status: 401, name: 'missing_api_key' },
  // Observed live: 401 validation_error, although the docs long said 403 invalid_api_key (docs/resend.md).
  invalid_api_key: { status: 401, name: 'validation_error' },
  restricted_api_key: { status: 401, name: 'restricted_api_key' },
  wrong_keys: { status: 429, name: 'rate_limit_exceeded' },
  misdirected: { status: 421, name: 'security_error' },
  invalid_idempotency_key: { status: 400, name: 'invalid_idempotency_key' },
  idempotency_mismatch: { status: 409, name: 'invalid_idempotent_request' },
  idempotency_busy: { status: 409, name: 'concurrent_idempotent_requests' },
  invalid_template: { status: 422, name: 'validation_error' },
  not_found: { status: 404, name: 'not_found' },
  route_not_found: { status: 404, name: 'not_found' },
  method_not_allowed: { status: 405, name: 'method_not_allowed' },
  rate_limited: { status: 429, name: 'rate_limit_exceeded' },
  account_disabled: { status: 403, name: 'restricted_api_key' },
  first_account_only: { status: 403, name: 'restricted_api_key' },
  domain_not_allowed: { status: 403, name: 'validation_error' },
  daily_quota: { status: 429, name: 'daily_quota_exceeded' },
  not_now: { status: 403, name: 'validation_error' },
  storage_full: { status: 403, name: 'validation_error' },
  // `service_unavailable` is not among the 21.
  unavailable: { status: 503, name: 'internal_server_error' },
  internal: { status: 500, name: 'application_error' },
};

/** The texts of docs/resend.md that whoever throws has to match. */
export const refusalTexts = {
  missingApiKey: 'Missing API key in the authorization header.',
  invalidApiKey: 'API key is invalid',
  restrictedApiKey: 'This API key is restricted to only send emails.',
  invalidIdempotencyKey: 'Idempotency keys, if present, must have between 1 and 256 characters.',
  idempotencyMismatch:
    "This idempotency key has been used with this HTTP method and endpoint within the last 24 hours, but the request body was modified and doesn't match the original request.",
  idempotencyBusy: 'There is another request in progress with the same idempotency key.',
  emailNotFound: 'Email not found',
  attachmentNotFound: 'Attachment not found',
  suppressionNotFound: 'Suppression not found',
  domainNotFound: 'Domain not found',
  apiKeyNotFound: 'API key not found',
  contactNotFound: 'Contact not found',
  segmentNotFound: 'Audience not found',
  topicNotFound: 'Topic not found',
  propertyNotFound: 'Contact property not found',
  broadcastNotFound: 'Broadcast not found',
  templateNotFound: 'Template not found',
  webhookNotFound: 'Webhook not found',
  webhookEventNotFound: 'Webhook event not found',
  routeNotFound: 'The requested endpoint does not exist.',
  methodNotAllowed: 'Method is not allowed for the requested path.',
  internal: 'An unexpected error occurred.',
  unavailable: 'API is temporarily unavailable',
} as const;

/** PHP prefers `type`, `code` and `error` over the members below, so an extra may never be called that (docs/resend.md). */
const reservedMembers = new Set(['statusCode', 'name', 'message', 'type', 'code', 'error']);

export type RenderedError = { status: number; body: string; headers: Record<string, string> };

/** Compact JSON: `statusCode`, `name`, `message`, then the extras. The cause is never shown. */
export function renderError(error: AppError): RenderedError {
  const { status, name } = errorTable[error.code];
  const extras = Object.entries(error.extra).filter(([member]) => !reservedMembers.has(member));
  const message = error.next === null ? error.message : `${error.message} ${error.next}`;
  const body = JSON.stringify({ statusCode: status, name, message, ...Object.fromEntries(extras) });
  const headers: Record<string, string> = { 'content-type': 'application/json; charset=utf-8' };
  // .NET throws on anything but a plain integer (docs/resend.md).
  if (error.retryAfterSeconds !== null) {
    headers['retry-after'] = String(Math.max(1, Math.ceil(error.retryAfterSeconds)));
  }
  return { status, body, headers };
}

export const wording: Wording = {
  renderError,
  // Plain integers: .NET throws on anything else (docs/resend.md).
  limitHeaders: ({ limit, remaining, resetSeconds }) => ({
    'ratelimit-limit': String(limit),
    'ratelimit-policy': `${limit};w=1`,
    'ratelimit-remaining': String(remaining),
    'ratelimit-reset': String(resetSeconds),
  }),
};

/** For what no route of Resend's, or of our own beside them, answers. */
export const refusals = {
  route: (): never => {
    throw new AppError('route_not_found', refusalTexts.routeNotFound);
  },
  method: (): never => {
    throw new AppError('method_not_allowed', refusalTexts.methodNotAllowed);
  },
};
