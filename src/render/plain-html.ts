/** The text of html that is nothing but short paragraphs and headings: what `html-to-text` makes of it, without its parser. */

/** A paragraph or a heading; within it words, and marks that no text shows. No character reference, no attribute. */
const block = /[ \t\r\n\f]*<(p|h[1-6])>([^<>&\0\u200b]*(?:<\/?(?:b|strong|i|em)>[^<>&\0\u200b]*)*)<\/\1>[ \t\r\n\f]*/y;
const marks = /<[^>]*>/g;
/** Of html; spaces that do not break are words. */
const spaces = /[ \t\r\n\f]+/;

/** A line that is longer is wrapped, which is the library's. */
const lineCharsMax = 80;

/** Null: it is something else, or longer, and has to be parsed. */
export function readPlainHtml(html: string): string | null {
  let text = '';
  for (let at = 0; at < html.length; at = block.lastIndex) {
    block.lastIndex = at;
    const [, name = '', content = ''] = block.exec(html) ?? [];
    const line = lineOf(content);
    if (line === '' || line.length > lineCharsMax) return null;
    text += text === '' ? line : gapBefore(name) + line;
  }
  return text;
}

function lineOf(content: string): string {
  const words = content.replace(marks, '').split(spaces);
  return words.filter((word) => word !== '').join(' ');
}

/** As its defaults have it. */
function gapBefore(name: string): string {
  return name === 'h1' || name === 'h2' || name === 'h3' ? '\n\n\n' : '\n\n';
}
