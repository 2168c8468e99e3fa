/** What docs/compatibility.md says of each call of the official SDKs, and of each operation, as things to look up. */

import { existsSync, readFileSync } from 'node:fs';
import { operations } from '../../http/openapi/operations.ts';
import { packageFolder } from '../../version.ts';
import { CommandError } from '../terminal.ts';

export type Facade = 'resend' | 'brevo';

/** `works` with what is different, `not here` with the reason; `unclear` with what to look at. */
export type Verdict = { is: 'works' | 'works, but' | 'not here' | 'unclear'; why: string };

export type KnownCall = { facade: Facade; call: string; operation: string; verdict: Verdict };

/** Written by test/http/compatibility.test.ts. @throws CommandError where the docs were not installed along. */
export function readKnownCalls(): KnownCall[] {
  const file = packageFolder && new URL('docs/compatibility.md', packageFolder);
  if (!file || !existsSync(file))
    throw new CommandError('docs/compatibility.md is not installed along: what is here is read from it.');
  const [resend = '', brevo = ''] = readFileSync(file, 'utf8').split('\n## Brevo\n');
  return [...rowsOf(resend, 'resend'), ...rowsOf(brevo, 'brevo'), ...groupsOf(brevo)];
}

function rowsOf(text: string, facade: Facade): KnownCall[] {
  const rows = text.matchAll(/^\| `([\w.]+)` \| `([A-Z]+ [^`]+)` \| ([^|]*) \|/gm);
  return Array.from(rows, ([, call = '', operation = '', is = '']) => ({
    facade,
    call,
    operation,
    verdict: verdictOf(is),
  }));
}

function verdictOf(is: string): Verdict {
  if (is === 'here') return { is: 'works', why: '' };
  const plain = is.replaceAll('`', '');
  if (plain.startsWith('here, but ')) return { is: 'works, but', why: plain.slice('here, but '.length) };
  return { is: 'not here', why: plain.replace(/^no: /, '') };
}

/** Of these groups nothing is here, whatever the call: `call` ends in a star. */
function groupsOf(text: string): KnownCall[] {
  return Array.from(text.matchAll(/`(\w+\.\*)`/g), ([, call = '']) => ({
    facade: 'brevo' as const,
    call,
    operation: '',
    verdict: { is: 'not here' as const, why: 'it is not transactional mail' },
  }));
}

/** What there is at a path that stands in code, `null` for a method that was not seen; parts may be placeholders. */
export function verdictOnPath(known: readonly KnownCall[], method: string | null, path: string): Verdict {
  const asked = known.filter(({ operation }) => isAt(operation, method, path));
  const exact = asked.filter(({ operation }) => operation.split(' ')[1] === path);
  const said = (exact.length > 0 ? exact : asked).map(({ verdict }) => verdict);
  const here = Object.keys(operations).some((operation) => isAt(operation, method, path));
  const worst = ['not here', 'works, but'].flatMap((is) => said.filter((one) => one.is === is))[0];
  if (worst && (worst.is === 'works, but' || exact.length > 0 || !here)) return worst;
  return here ? { is: 'works', why: '' } : { is: 'not here', why: 'there is no such operation' };
}

function isAt(operation: string, method: string | null, path: string): boolean {
  const [verb, pattern = ''] = operation.split(' ');
  if (method !== null && method !== verb) return false;
  const own = pattern.split('/');
  const parts = path.split('/');
  return own.length === parts.length && own.every((one, index) => isPlaceholder(one) || one === parts[index]);
}

function isPlaceholder(part: string): boolean {
  return part.startsWith(':') || part.startsWith('{');
}
