/** Cuts a template into text, `{{ values }}` and `{% tags %}`; `{# comments #}` go. */

import { TemplateFault } from './value.ts';

/** `inner` is what stands between the braces. */
export type Piece = { kind: 'text' | 'value' | 'tag'; from: number; to: number; inner: string };

/** Far beyond any newsletter; as many took a tenth of a second to read. */
const piecesMax = 20_000;
/** Of one tag or value. */
const innerLengthMax = 2_000;

/**
 * Linear: a search for an end is made once for all that begin before it.
 * @throws TemplateFault; `onPiece` was then told where the part at fault begins.
 */
export function splitPieces(source: string, onPiece: (at: number) => void): Piece[] {
  const pieces: Piece[] = [];
  const find = createFinder(source);
  let textFrom = 0;
  for (let at = source.indexOf('{'); at !== -1; at = source.indexOf('{', at)) {
    const braces = bracesAt(source, at);
    const close = braces ? find(braces.close, at + 2) : -1;
    const isStray = braces?.kind === 'comment' && (close === -1 || isBetween(find('\n', at), at, close));
    if (!braces || isStray) {
      at++;
      continue;
    }
    onPiece(at);
    if (close === -1) throw new TemplateFault(`"${braces.open}" is never closed with "${braces.close}"`);
    const dashed = { before: source[at + 2] === '-', after: source[close - 1] === '-' && close - 1 > at + 2 };
    addText(pieces, source, textFrom, dashed.before ? trimmedEnd(source, textFrom, at) : at);
    const inner = source.slice(at + (dashed.before ? 3 : 2), dashed.after ? close - 1 : close);
    if (braces.kind !== 'comment') pieces.push({ kind: braces.kind, from: at, to: close + 2, inner });
    if (inner.length > innerLengthMax && braces.kind !== 'comment') throw new TemplateFault('this tag is too long');
    if (pieces.length > piecesMax) throw new TemplateFault('this template has too many tags');
    at = close + 2;
    textFrom = dashed.after ? trimmedStart(source, at) : at;
  }
  addText(pieces, source, textFrom, source.length);
  return pieces;
}

const braceKinds = [
  { kind: 'value', open: '{{', close: '}}' },
  { kind: 'tag', open: '{%', close: '%}' },
  // On one line, and only if it is closed: `{#a{color:red}` is a style sheet.
  { kind: 'comment', open: '{#', close: '#}' },
] as const;

function bracesAt(source: string, at: number): (typeof braceKinds)[number] | undefined {
  return braceKinds.find(({ open }) => source.startsWith(open, at));
}

function createFinder(source: string): (needle: string, from: number) => number {
  const found = new Map<string, number>();
  return (needle, from) => {
    const known = found.get(needle);
    if (known !== undefined && (known === -1 || known >= from)) return known;
    const at = source.indexOf(needle, from);
    found.set(needle, at);
    return at;
  };
}

function isBetween(at: number, from: number, to: number): boolean {
  return at > from && at < to;
}

function addText(pieces: Piece[], source: string, from: number, to: number): void {
  if (to > from) pieces.push({ kind: 'text', from, to, inner: source.slice(from, to) });
}

function trimmedEnd(source: string, from: number, to: number): number {
  return from + source.slice(from, to).trimEnd().length;
}

function trimmedStart(source: string, from: number): number {
  let at = from;
  while (/\s/.test(source[at] ?? '')) at++;
  return at;
}
