/** Refusals of a request's members, in the wording Brevo's clients know (docs/brevo.md). */

import { AppError } from '../../core/error.ts';

export function missing(field: string): AppError {
  return new AppError('missing_field', `${field} is missing`);
}

/** `to is not valid in messageVersions`, and the rule where there is more to say. */
export function invalid(field: string, rule = '', where = ''): AppError {
  return new AppError('invalid_field', `${field} is not valid${where}${rule && `: ${rule}`}`);
}

/** Says which of the messageVersions, counted from 0, a refusal is about. */
export function inVersion<T>(index: number | null, parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    if (index === null || !(error instanceof AppError)) throw error;
    throw new AppError(error.code, error.message, { extra: { ...error.extra, messageVersion: index } });
  }
}
