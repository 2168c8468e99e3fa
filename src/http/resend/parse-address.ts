/** The address members of a send request: `from`, `to`, `cc`, `bcc`, `reply_to`. */

import { parseMailbox } from '../../core/address.ts';
import { type AppError, hinted } from '../../core/error.ts';
import { breaksLine, isAbsent, wellFormed } from '../fields.ts';
import type { ResendLimits } from './limits.ts';
import { invalidField } from './parse-fields.ts';

type AddressField = 'from' | 'to' | 'cc' | 'bcc' | 'reply_to';

/** One address, as its author wrote it but for surrounding spaces. */
export function parseAddress(field: AddressField, value: unknown, limits: ResendLimits): string {
  // Looked for before anything is trimmed: a line break at the end is still somebody's mistake or somebody's injection.
  if (typeof value !== 'string' || value.length > limits.addressCharsMax || breaksLine(value)) {
    throw malformed(field, value);
  }
  const text = wellFormed(value.trim());
  if (parseMailbox(text) === null) throw malformed(field, value);
  return text;
}

/** A string or an array of strings (docs/resend.md); absent is empty. */
export function parseAddresses(field: AddressField, value: unknown, limits: ResendLimits): string[] {
  if (isAbsent(value)) return [];
  if (!Array.isArray(value)) return [parseAddress(field, value, limits)];
  if (value.length > limits.recipientsMax) {
    throw invalidField(field, `The number of addresses must be at most ${limits.recipientsMax}.`);
  }
  return value.map((item) => parseAddress(field, item, limits));
}

/** Observed live (docs/resend.md). */
function malformed(field: AddressField, value: unknown): AppError {
  const hint = hintOn(field, value);
  return invalidField(
    field,
    'The email address needs to follow the `email@example.com` or `Name <email@example.com>` format.',
    hint === null ? {} : hinted(hint),
  );
}

/** The mistakes that are made most. */
function hintOn(field: AddressField, value: unknown): string | null {
  if (typeof value !== 'string') return 'An address is a string.';
  if (breaksLine(value)) return 'There is a line break in it.';
  const isList = value.split('@', 3).length === 3 && /[,;]/.test(value);
  if (!isList) return null;
  return field === 'from'
    ? 'There is one sender: send several emails instead.'
    : 'Several addresses are an array of strings: `["ann@example.com", "bob@example.com"]`.';
}
