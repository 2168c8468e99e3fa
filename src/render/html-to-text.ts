/** The text part that an author left out, made from the html. Not linear in its input: what is long runs in renderer threads alone. */

import { createRequire } from 'node:module';
import { readPlainHtml } from './plain-html.ts';

/** Of longer html only this much is read: nobody reads more as text. */
const readLengthMax = 2 ** 19;
const nestingMax = 1000;
type Library = typeof import('html-to-text');

let converter: ReturnType<Library['compile']> | null = null;

/** Loaded when the first html comes without a text: not every thread sees one. */
function convert(html: string): string {
  converter ??= (createRequire(import.meta.url)('html-to-text') as Library).compile(conversion);
  return converter(html);
}

const conversion: Parameters<Library['compile']>[0] = {
  // What is nested deeper is left out: recursion must end at the same depth in every process, not where a stack does.
  limits: { maxDepth: 256 },
  // As @react-email/render does it, which Resend's users know: links as `text https://…`, no images.
  selectors: [
    { selector: 'img', format: 'skip' },
    { selector: 'a', options: { linkBrackets: false, hideLinkHrefIfSameAsText: true } },
    ...['h1', 'h2', 'h3', 'h4', 'h5', 'h6'].map((selector) => ({ selector, options: { uppercase: false } })),
  ],
};

/** Empty where the html holds no words, or cannot be read. */
export function generateText(html: string): string {
  return readPlainHtml(html) ?? generateParsed(html);
}

/** The same, whatever the html is. */
export function generateParsed(html: string): string {
  const start = html.slice(0, readLengthMax);
  if (isNestedTooDeep(start)) return '';
  try {
    return convert(start);
  } catch {
    // html-to-text throws on some input (`<ol type="i" start="1000000000">`), always on the same: such html goes alone.
    return '';
  }
}

/** The parser takes quadratic time on depth: 16 s for 50,000 tables within each other. Elements that cannot nest do not count. */
function isNestedTooDeep(html: string): boolean {
  let depth = 0;
  tags.lastIndex = 0;
  for (let tag = tags.exec(html); tag; tag = tags.exec(html)) {
    const [, slash, name = ''] = tag;
    if (unnested.test(name)) continue;
    depth += slash === '/' ? -1 : 1;
    if (depth > nestingMax) return true;
  }
  return false;
}

const tags = /<(\/?)([a-z][a-z0-9]*)/gi;
const unnested = /^(?:p|li|d[dt]|t[dhr]|br|hr|img|input|link|meta|option|source|wbr|col|area|base)$/i;
