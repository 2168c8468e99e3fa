/** Members of a JSON body, as every facade reads them: presence, shape, and what may stand in a header. */

export type Fields = Record<string, unknown>;

export function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** `null` and `""` count as absent: Go sends both for what its caller left out (docs/resend.md). */
export function isAbsent(value: unknown): value is undefined | null | '' {
  return value === undefined || value === null || value === '';
}

/** Whether the text would end or cut a header line. */
export function breaksLine(text: string): boolean {
  return text.includes('\n') || text.includes('\r') || text.includes('\0');
}

/**
 * Lone surrogates become U+FFFD here, once: every later step (UTF-8, storing, composing, comparing) then sees the same text.
 * The method is in Node 20 but not in TypeScript's es2023 library.
 */
export function wellFormed(text: string): string {
  return (text as string & { toWellFormed(): string }).toWellFormed();
}

/** RFC 5322 3.6.8: printable US-ASCII without the colon. */
const fieldName = /^[!-9;-~]+$/;
/** Longer ones are nobody's, and leave no room for a value on their line. */
export const headerNameCharsMax = 76;

export function isHeaderName(text: string): boolean {
  return text.length <= headerNameCharsMax && fieldName.test(text);
}
