/** The page's style and script: two files, served under the hash of what they hold. */

import { hash } from 'node:crypto';
import { readFileSync } from 'node:fs';

export type Asset = { path: string; type: string; content: Buffer };

export const style = load('page.css', 'text/css; charset=utf-8');
export const script = load('page.js', 'text/javascript; charset=utf-8');

function load(name: string, type: string): Asset {
  const content = readFileSync(new URL(`./assets/${name}`, import.meta.url));
  const [stem, ending] = name.split('.');
  return { path: `/dashboard/assets/${stem}.${hash('sha256', content, 'hex').slice(0, 12)}.${ending}`, type, content };
}
