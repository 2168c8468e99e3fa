/** What is left out where it has to be quick: shapes that a field has no reason to mind are asked of another field each. */

import type { Target } from './targets.ts';

/** Each shape once in so many fields; of what Node bounds at 16 kB, or many routes read alike, even more seldom. */
const everyFields = 14;
const everyHeads = 24;
const everyReads = 10;

/** What fields of such names once minded, or are there to read: asked of each of them, short ones too. */
const minded: [name: RegExp, shapes: readonly string[]][] = [
  [/html/i, ['quotes in quotes', 'void tags', 'links']],
  [/html|subject|text/i, ['filters of digits', 'operands', 'steps']],
  [/scheduled/i, ['tabs', 'blanks']],
  [/name|content_?id/i, ['dots', 'blanks at the end']],
  [/from|to|cc|bcc|reply|email|sender/i, ['angle brackets', 'quoted pairs']],
  [/params/i, ['very many members', 'nested objects', 'digits']],
  [/headers/i, ['lines that fold', 'encoded words']],
];

/** What the page looks for in a stored mail. */
const mindedInReads = ['links', 'images', 'content ids', 'comments', 'quotes in quotes'];

export function thinned(target: Target, index: number): Target {
  const { place } = target.asked;
  if (place.in !== 'json' && place.in !== 'items')
    return { ...target, shapes: someOf(target.shapes, index, everyHeads) };
  // A whole body.
  if (place.in === 'json' && place.before === '') return { ...target, sizes: target.sizes.slice(-1) };
  const field = target.name.split(' ')[2] ?? '';
  const shapes = minded.filter(([name]) => name.test(field)).flatMap(([, some]) => some);
  const rest = someOf(target.shapes, index, everyFields).filter((one) => !shapes.includes(one));
  return { ...target, shapes: [...target.shapes.filter((one) => shapes.includes(one)), ...rest] };
}

/** Whether this read is asked of a mail of this shape. */
export function isAsked(read: number, shapes: readonly string[], shape: string): boolean {
  return mindedInReads.includes(shape) || someOf(shapes, read, everyReads).includes(shape);
}

function someOf(shapes: readonly string[], index: number, every: number): readonly string[] {
  return shapes.filter((_, at) => at % every === index % every);
}
