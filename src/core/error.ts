/** Expected refusals: one error class with a closed list of codes; each facade maps a code to its own status and name. */

export type ErrorCode =
  | 'invalid_json'
  | 'too_large'
  | 'too_slow'
  | 'unreadable'
  | 'headers_too_large'
  | 'missing_field'
  | 'invalid_field'
  | 'invalid_parameter'
  | 'invalid_attachment'
  | 'out_of_range'
  | 'already_exists'
  | 'missing_api_key'
  | 'invalid_api_key'
  | 'restricted_api_key'
  | 'wrong_keys'
  | 'misdirected'
  | 'invalid_idempotency_key'
  | 'idempotency_mismatch'
  | 'idempotency_busy'
  | 'invalid_template'
  | 'not_found'
  | 'route_not_found'
  | 'method_not_allowed'
  | 'rate_limited'
  | 'account_disabled'
  | 'first_account_only'
  | 'domain_not_allowed'
  | 'daily_quota'
  | 'storage_full'
  | 'not_now'
  | 'unavailable'
  | 'internal';

export type ErrorDetails = {
  /** Members added to the error body; SDKs ignore what they do not know. */
  extra?: Record<string, unknown>;
  /** What to do next, in a sentence that is told after the message: only where no client compares messages. */
  next?: string | null;
  /** Seconds after which a retry makes sense; becomes `Retry-After`. */
  retryAfterSeconds?: number;
  /** What really happened; logged, never sent. */
  cause?: unknown;
};

/** A refusal a client may see: `message` is public and says what to do next. */
export class AppError extends Error {
  override readonly name = 'AppError';
  readonly code: ErrorCode;
  readonly extra: Record<string, unknown>;
  readonly next: string | null;
  readonly retryAfterSeconds: number | null;

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, { cause: details.cause });
    this.code = code;
    this.extra = details.extra ?? {};
    this.next = details.next ?? null;
    this.retryAfterSeconds = details.retryAfterSeconds ?? (code === 'unavailable' ? unavailableSeconds : null);
  }
}

/** Whoever is told nothing comes back at once, with all the others. */
const unavailableSeconds = 2;

/** A next step beside a message that has to stay the vendor's to the byte. */
export function hinted(hint: string): ErrorDetails {
  return { extra: { hint } };
}

/** The database cannot be asked right now; sooner or later it can. */
export function isUnavailable(error: unknown): error is AppError {
  return error instanceof AppError && error.code === 'unavailable';
}

/** The database works for nobody now; what was under way is undone. `isForGood`: until the operator has mended it. */
export function cannotWrite(cause: unknown, isForGood = false): AppError {
  return new AppError('unavailable', `${state(isForGood)}; nothing was accepted. ${mending(isForGood)}`, {
    ...askTheServer,
    cause,
  });
}

export function cannotRead(cause: unknown, isForGood = false): AppError {
  return new AppError('unavailable', `${state(isForGood)}; nothing could be read. ${mending(isForGood)}`, {
    ...askTheServer,
    cause,
  });
}

const askTheServer = hinted(
  'Nothing is wrong with the request. On the server, its log and `sendonce doctor` say what is.',
);

function state(isForGood: boolean): string {
  return isForGood ? 'The database is damaged' : 'The database does not work right now';
}

function mending(isForGood: boolean): string {
  return isForGood ? 'Trying again does not help: the operator has to restore a backup.' : 'Try again.';
}

/** Another process held what this request needs for too long; nothing was written, and a later try will see what came of it. */
export class Contended extends AppError {
  constructor(cause: unknown) {
    super('unavailable', 'Another request holds what this one needs; nothing was written. Try again.', { cause });
  }
}

/** A commit may or may not have happened, and nobody can tell: there is no status that would be true. */
export class CommitUnknown extends Error {
  override readonly name = 'CommitUnknown';
}
