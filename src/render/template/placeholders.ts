/** The placeholders of Resend's templates and broadcasts: `{{{NAME}}}` and `{{{NAME|fallback}}}`, put in as they are. */

import { AppError } from '../../core/error.ts';

/** `texts` by what their author calls them; `values` by name, `contact.first_name` being a name, too. */
export type Placed = {
  texts: Readonly<Record<string, string>>;
  values: Readonly<Record<string, string>>;
};

/** No part of it can match what the next one does: linear in what it reads. */
const placeholder = /\{\{\{\s*([A-Za-z_][\w.]*)\s*(?:\|([^{}]*))?\}\}\}/g;

/** As long as one of Brevo's may come out. */
const filledLengthMax = 2 ** 22;

function hasPlaceholder(text: string): boolean {
  return text.includes('{{{');
}

/** Those that have no fallback beside them, each once. */
export function namesIn(text: string): Set<string> {
  const found = hasPlaceholder(text) ? text.matchAll(placeholder) : [];
  return new Set(Array.from(found, ([, name = '', fallback]) => (fallback === undefined ? name : '')).filter(Boolean));
}

/**
 * What there is no value for and no fallback is left empty: who needs it has asked `namesIn` before.
 * @throws AppError `invalid_template` where a text becomes too long
 */
export function fillPlaceholders({ texts, values }: Placed): Record<string, string> {
  const filled = Object.entries(texts).map(([field, text]): [string, string] => [field, fillOne(field, text, values)]);
  return Object.fromEntries(filled);
}

function fillOne(field: string, text: string, values: Placed['values']): string {
  let length = text.length;
  return text.replace(placeholder, (whole, name: string, fallback: string | undefined) => {
    const value = (Object.hasOwn(values, name) ? values[name] : undefined) || (fallback?.trim() ?? '');
    length += value.length - whole.length;
    if (length > filledLengthMax) {
      throw new AppError(
        'invalid_template',
        `The template's ${field} becomes longer than ${filledLengthMax} characters.`,
      );
    }
    return value;
  });
}
