/** The one table from our refusals to replies of SMTP (RFC 5321 4.2, RFC 3463). */

import type { AppError, ErrorCode } from '../core/error.ts';

type Wire = { code: number; enhanced: string };

const temporary: Wire = { code: 451, enhanced: '4.3.0' };
const notAllowed: Wire = { code: 550, enhanced: '5.7.1' };
const notMade: Wire = { code: 554, enhanced: '5.6.0' };

/** 4yz where HTTP says 429 or 503: the same mail is welcome later. */
const replyTable: Readonly<Record<ErrorCode, Wire>> = {
  invalid_json: notMade,
  too_large: { code: 552, enhanced: '5.3.4' },
  too_slow: { code: 421, enhanced: '4.4.2' },
  unreadable: { code: 554, enhanced: '5.6.0' },
  headers_too_large: { code: 552, enhanced: '5.3.4' },
  missing_field: notMade,
  invalid_field: notMade,
  invalid_parameter: { code: 501, enhanced: '5.5.4' },
  invalid_attachment: notMade,
  out_of_range: notMade,
  already_exists: notMade,
  missing_api_key: { code: 530, enhanced: '5.7.0' },
  invalid_api_key: { code: 535, enhanced: '5.7.8' },
  restricted_api_key: notAllowed,
  wrong_keys: { code: 454, enhanced: '4.7.0' },
  misdirected: notAllowed,
  invalid_idempotency_key: notMade,
  idempotency_mismatch: notAllowed,
  idempotency_busy: temporary,
  invalid_template: notMade,
  not_found: { code: 550, enhanced: '5.1.1' },
  route_not_found: { code: 550, enhanced: '5.1.1' },
  method_not_allowed: { code: 502, enhanced: '5.5.1' },
  rate_limited: { code: 451, enhanced: '4.7.1' },
  account_disabled: notAllowed,
  first_account_only: notAllowed,
  domain_not_allowed: notAllowed,
  daily_quota: { code: 451, enhanced: '4.7.1' },
  not_now: { code: 554, enhanced: '5.7.0' },
  storage_full: { code: 552, enhanced: '5.2.2' },
  unavailable: temporary,
  internal: temporary,
};

/** As the SMTP server wants to be told: `responseCode`, and the rest of the line as its message. */
export class Refusal extends Error {
  override readonly name = 'Refusal';
  readonly responseCode: number;

  constructor(responseCode: number, text: string) {
    super(text);
    this.responseCode = responseCode;
  }
}

/** A reply is one line of 512 octets (RFC 5321 4.5.3.1.5). */
const textCharsMax = 480;

export function refusalOf(error: AppError): Refusal {
  const { code, enhanced } = replyTable[error.code];
  const { hint } = error.extra;
  const words = [error.message, error.next, typeof hint === 'string' ? hint : null].filter((one) => one !== null);
  return new Refusal(code, `${enhanced} ${printable(words.join(' '))}`.slice(0, textCharsMax));
}

function printable(text: string): string {
  return text.replace(/[^ -~]+/g, ' ');
}
