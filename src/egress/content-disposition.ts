/** The file name a server suggests for a download (RFC 6266). */

import { isUtf8 } from 'node:buffer';

/** What file systems take; longer ones are cut, keeping the extension mail programs go by. */
const filenameLengthMax = 255;

/** From a Content-Disposition header as Node reads it (Latin-1); null where it suggests none that is usable. */
export function filenameOf(header: string): string | null {
  const name = extendedName(header) ?? plainName(header);
  if (name === null) return null;
  // Only the last part: a server has no say in where a file goes (RFC 6266 §4.3).
  const last = name.split(/[/\\]/).at(-1) ?? '';
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what must not reach a mail header.
  const clean = last.replace(/[\x00-\x1f\x7f-\x9f]/g, '').trim();
  if (clean === '' || clean === '.' || clean === '..') return null;
  return clean.length <= filenameLengthMax ? clean : cut(clean);
}

/** `filename*=UTF-8''r%C3%A9sum%C3%A9.pdf` (RFC 8187), which wins over the plain one. */
function extendedName(header: string): string | null {
  const encoded = /(?:^|;)\s*filename\*\s*=\s*utf-8'[^']*'([^;\s]*)/i.exec(header)?.[1];
  if (encoded === undefined) return null;
  try {
    return decodeURIComponent(encoded);
  } catch {
    // Not UTF-8 after all: the plain name may still do.
    return null;
  }
}

/** `filename="a b.pdf"` or `filename=a.pdf`; many servers put raw UTF-8 there. */
function plainName(header: string): string | null {
  const match = /(?:^|;)\s*filename\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^;\s"]+))/i.exec(header);
  const name = match?.[1]?.replace(/\\(.)/g, '$1') ?? match?.[2];
  if (name === undefined) return null;
  const bytes = Buffer.from(name, 'latin1');
  return isUtf8(bytes) ? bytes.toString('utf8') : name;
}

function cut(name: string): string {
  const extension = /\.[^.]{1,16}$/.exec(name)?.[0] ?? '';
  return name.slice(0, filenameLengthMax - extension.length).replace(/[\ud800-\udbff]$/, '') + extension;
}
