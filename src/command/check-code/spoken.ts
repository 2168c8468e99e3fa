/** Chains of names that are called in code (`resend.emails.send(`), and addresses that stand in it: one pass over its words. */

export type Spoken = { is: 'chain'; at: number; names: readonly string[] } | { is: 'address'; at: number; url: string };

/** No part of a pattern can be read twice: a pass is linear in what stands there. */
const address = String.raw`https?:\/\/api\.(?:resend|brevo|sendinblue)\.com[^\s"'\x60<>)\\,;]*`;
const comments = String.raw`\/\*[^]*?(?:\*\/|$)|(?<!:)\/\/[^\n]*`;
const hashComment = String.raw`(?<![^\s])#[^\n]*`;
const words = String.raw`[\p{L}\w$]+|\?\.|\?->|->|::|\.|\(\s*\)|\s+|[^]`;
const everywhere = new RegExp(`${address}|${comments}|${words}`, 'gu');
const withHashes = new RegExp(`${address}|${comments}|${hashComment}|${words}`, 'gu');
/** Python divides by `//`, Ruby and shells know no such comment. */
const hashesOnly = new RegExp(`${address}|${hashComment}|${words}`, 'gu');

const separators = ['.', '?.', '->', '?->', '::'];

/** `extension`: what the name of the file ends in, with the dot. */
export function* spokenIn(text: string, extension: string): Generator<Spoken> {
  let names: string[] = [];
  let isJoined = false;
  let at = 0;
  for (const { 0: word, index } of text.matchAll(wordsOf(extension))) {
    if (word.startsWith('http') && word.includes('://')) yield { is: 'address', at: index, url: word };
    else if (separators.includes(word)) isJoined = true;
    else if (/^[\p{L}\w$]/u.test(word)) {
      // Ruby calls without parentheses.
      if (!isJoined && extension === '.rb' && names.length > 1) yield { is: 'chain', at, names };
      // What is called on what an expression made has no name before it.
      names = isJoined ? [...(names.length > 0 ? names.slice(-7) : ['']), word] : [word];
      at = index;
      isJoined = false;
    } else if (word.startsWith('(')) {
      if (names.length > 0) yield { is: 'chain', at, names };
      if (word === '(') names = [];
    } else if (!isPassedOver(word)) {
      names = [];
      isJoined = false;
    }
  }
  if (extension === '.rb' && names.length > 1) yield { is: 'chain', at, names };
}

function wordsOf(extension: string): RegExp {
  if (['.py', '.rb', '.sh', '.ex', '.exs'].includes(extension)) return hashesOnly;
  return extension === '.php' ? withHashes : everywhere;
}

/** Space, comments, and what TypeScript, PHP and private members put between names. */
function isPassedOver(word: string): boolean {
  return /^(\s|\/[/*]|#)/.test(word) || word === '!' || word === '?';
}
