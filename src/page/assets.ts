/** The page's style and script, each served as one file under the hash of what it holds. */

import { hash } from 'node:crypto';
import { readFileSync } from 'node:fs';

export type Asset = { path: string; type: string; content: Buffer };

/** In the order in which later rules may refine earlier ones. */
const styles = ['tokens.css', 'elements.css', 'frame.css', 'pieces.css', 'figures.css', 'prose.css'];

export const style = gather('page.css', 'text/css; charset=utf-8', styles);
export const script = gather('page.js', 'text/javascript; charset=utf-8', ['page.js']);

function gather(name: string, type: string, files: string[]): Asset {
  const content = Buffer.concat(files.map((file) => readFileSync(new URL(`./assets/${file}`, import.meta.url))));
  const [stem, ending] = name.split('.');
  return { path: `/dashboard/assets/${stem}.${hash('sha256', content, 'hex').slice(0, 12)}.${ending}`, type, content };
}
