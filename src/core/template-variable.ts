/** Variables of Resend's templates: which names they may have, and which values they take. */

export const variableTypes = ['string', 'number', 'boolean'] as const;
export type VariableType = (typeof variableTypes)[number];
export type VariableValue = string | number | boolean;

export type TemplateVariable = {
  id: string;
  key: string;
  type: VariableType;
  /** Null: whoever sends has to name one. */
  fallback: VariableValue | null;
  createdAt: number;
  updatedAt: number;
};

/** What a recipient or the server is the source of (docs/resend.md). */
const reserved = new Set([
  'FIRST_NAME',
  'LAST_NAME',
  'EMAIL',
  'UNSUBSCRIBE_URL',
  'RESEND_UNSUBSCRIBE_URL',
  'contact',
  'this',
]);

export function isVariableKey(text: string): boolean {
  return /^[A-Za-z0-9_]{1,50}$/.test(text) && !reserved.has(text);
}

/** docs/resend.md: texts of at most 2,000 characters, numbers up to 2^53-1. */
export function isOfType(value: unknown, type: VariableType): value is VariableValue {
  switch (type) {
    case 'string':
      return typeof value === 'string' && value.length <= 2_000;
    case 'number':
      return typeof value === 'number' && Number.isFinite(value) && Math.abs(value) <= Number.MAX_SAFE_INTEGER;
    case 'boolean':
      return typeof value === 'boolean';
    default:
      return type satisfies never;
  }
}
