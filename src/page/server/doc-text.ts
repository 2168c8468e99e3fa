/** A document as a page: Markdown of our own, with links that lead to where the server has them. */

import { Marked, type Tokens } from 'marked';

/** `names`: of the documents that are served. What leads to anything else is told without a link. */
export function renderDoc(text: string, names: ReadonlySet<string>): string {
  const anchors = new Set<string>();
  const marked = new Marked({ async: false });
  marked.use({
    renderer: {
      heading({ tokens, depth, text: head }) {
        return `<h${depth} id="${anchorOf(head, anchors)}">${this.parser.parseInline(tokens)}</h${depth}>\n`;
      },
      link({ href, tokens }) {
        const inner = this.parser.parseInline(tokens);
        const target = servedAt(href, names);
        return target === null ? inner : `<a href="${target}">${inner}</a>`;
      },
      code({ text: code }) {
        return `<pre tabindex="0"><code>${escapeHtml(code)}</code></pre>\n`;
      },
      // Pictures are not installed along.
      image({ text: alt }: Tokens.Image) {
        return alt;
      },
      table(token) {
        const row = (cells: Tokens.TableCell[]) =>
          cells.map(({ tokens, header }) => cell(this.parser.parseInline(tokens), header)).join('');
        const rows = token.rows.map((cells) => `<tr>${row(cells)}</tr>`).join('');
        return `<div class="scroll" tabindex="0"><table><thead><tr>${row(token.header)}</tr></thead><tbody>${rows}</tbody></table></div>\n`;
      },
    },
  });
  return marked.parse(text) as string;
}

function escapeHtml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

function cell(inner: string, isHeader: boolean): string {
  return isHeader ? `<th scope="col">${inner}</th>` : `<td>${inner}</td>`;
}

/** Null: it is not on this server, and a page of ours leads nowhere else. */
function servedAt(href: string, names: ReadonlySet<string>): string | null {
  if (href.startsWith('#')) return href;
  const [path = '', anchor] = href.split('#');
  const name = path
    .replace(/^(\.\.?\/)*(docs\/)?/, '')
    .replace(/\.md$/, '')
    .toLowerCase();
  if (!path.endsWith('.md') || !names.has(name)) return null;
  return `/docs/${name}${anchor === undefined ? '' : `#${encodeURIComponent(anchor)}`}`;
}

/** As GitHub makes them, where the links between documents are read, too. */
function anchorOf(head: string, taken: Set<string>): string {
  const plain = head
    .toLowerCase()
    .replace(/\[([^\]]*)\]\([^)]*\)/g, '$1')
    .replace(/[^\p{L}\p{N}\s_-]/gu, '')
    .replaceAll(' ', '-');
  let anchor = plain;
  for (let count = 1; taken.has(anchor); count += 1) anchor = `${plain}-${count}`;
  taken.add(anchor);
  return anchor;
}
