/** Which calls of Resend or Brevo stand in a file, and what becomes of each here. */

import { type Facade, type KnownCall, type Verdict, verdictOnPath } from './known-calls.ts';
import { type Spoken, spokenIn } from './spoken.ts';

export type Seen = { line: number; call: string; verdict: Verdict };

/** A file that names neither calls neither: `contacts.list(` is anybody's. */
const named: Record<Facade, RegExp> = { resend: /resend/i, brevo: /brevo|sendinblue|sib[_-]?api/i };

/** What a client of either is made of. */
const madeOf: Record<Facade, RegExp> = { resend: /resend/i, brevo: /brevo|sib|sendinblue|api/i };

export type Judge = (text: string, extension: string) => Seen[];

export function createJudge(known: readonly KnownCall[]): Judge {
  const calls = new Map(known.map((one) => [keyOf(one.call.split('.')), one]));
  const short = new Map(known.filter(isShort).map((one) => [shortOf(one), one]));
  const groups = new Set(known.map(({ call }) => singular(plain(call.split('.').at(-2) ?? ''))));
  return (text, extension) => {
    const facades = (['resend', 'brevo'] as const).filter((facade) => named[facade].test(text));
    if (facades.length === 0) return [];
    const made = declarationsOf(text);
    const lineOf = lineCounter(text);
    const seen: Seen[] = [];
    for (const spoken of spokenIn(text, extension)) {
      const one = spoken.is === 'address' ? judgeAddress(known, text, spoken) : judgeChain(spoken.names);
      if (one) seen.push({ line: lineOf(spoken.at), ...one });
    }
    return seen;

    function judgeChain(names: readonly string[]): Omit<Seen, 'line'> | null {
      const found = find(names);
      if (!found) return unknownMethod(names);
      const owner = ownerOf(found.one.facade, found.before, made);
      if (owner === 'foreign') return { call: found.one.call, verdict: foreign(found.before.at(-1) ?? '') };
      if (found.isLoose && owner !== 'own') return null;
      return { call: found.one.call.replace('*', names.at(-1) ?? ''), verdict: found.one.verdict };
    }

    /** The longest end of the chain that is a call. */
    function find(names: readonly string[]): { one: KnownCall; before: readonly string[]; isLoose: boolean } | null {
      for (let length = Math.min(names.length, 5); length >= 2; length--) {
        const end = names.slice(-length);
        const starred = calls.get(keyOf([...end.slice(0, -1), '*']));
        const one = calls.get(keyOf(end)) ?? (length === 2 ? starred : undefined);
        if (one && facades.includes(one.facade)) {
          return { one, before: names.slice(0, -length), isLoose: one === starred };
        }
      }
      return findShort(names);
    }

    /** Brevo's methods say it all, whatever they are called on, its classes are named after groups, and the SDK for C# has no groups. */
    function findShort(
      names: readonly string[],
    ): { one: KnownCall; before: readonly string[]; isLoose: boolean } | null {
      const last = keyOf(names.slice(-1));
      const before = names.slice(0, -1);
      const group =
        facades.includes('brevo') && last.endsWith('api') ? calls.get(`${singular(last.slice(0, -3))}.*`) : null;
      if (group) return { one: group, before: [], isLoose: false };
      const one = before.length > 0 ? short.get(last) : undefined;
      return one && facades.includes(one.facade) ? { one, before, isLoose: one.facade === 'resend' } : null;
    }

    function unknownMethod(names: readonly string[]): Omit<Seen, 'line'> | null {
      const [receiver, group = '', method = ''] = names.slice(-3);
      if (names.length < 3 || receiver === undefined || !groups.has(singular(plain(group)))) return null;
      if (!facades.includes('resend') || ownerOf('resend', [receiver], made) !== 'own') return null;
      return { call: `${group}.${method}`, verdict: { is: 'unclear', why: 'no call of this name is known' } };
    }
  };
}

function foreign(receiver: string): Verdict {
  return { is: 'unclear', why: `look what "${receiver}" is: a client of another service has calls of this name, too` };
}

function shortOf({ facade, call }: KnownCall): string {
  const names = call.split('.');
  return facade === 'brevo' ? keyOf(names.slice(-1)) : keyOf(names).replace('.', '');
}

/** Calls that one name can mean. */
function isShort({ facade, call }: KnownCall): boolean {
  return facade === 'brevo' ? !call.endsWith('*') : call.split('.').length === 2;
}

function keyOf(names: readonly string[]): string {
  const words = names.map(plain);
  const method = canonical(words.at(-1) ?? '');
  const groups = words.slice(0, -1).map(singular);
  return [...groups, method].join('.');
}

/** As every language writes it: `api_keys`, `apiKeys`, `ApiKeys`. */
function plain(name: string): string {
  return name.replace(/[_$]/g, '').toLowerCase();
}

function singular(group: string): string {
  return group.replace(/s$/, '');
}

/** Each SDK has its own word for the same, and ends in how it waits. */
function canonical(method: string): string {
  return method
    .replace(/(?:withcontext|andoptions|withoptions|withbatchvalidation|withhttpinfo|async)+$/, '')
    .replace(/(?:retrieve|getbyid)$/, 'get')
    .replace(/^emailbatch$/, 'batchsend')
    .replace(/add$/, 'create')
    .replace(/delete$/, 'remove')
    .replace(/reschedule$/, 'update');
}

type Owner = 'own' | 'foreign' | 'unknown';

function ownerOf(facade: Facade, before: readonly string[], made: ReadonlyMap<string, string>): Owner {
  if (before.some((name) => named[facade].test(name))) return 'own';
  const from = made.get(before.at(-1) ?? '');
  if (from === undefined) return 'unknown';
  return madeOf[facade].test(from) ? 'own' : 'foreign';
}

/** What each name of the file is set to, as far as two lines say. */
function declarationsOf(text: string): Map<string, string> {
  const made = new Map<string, string>();
  const lines = text.split('\n');
  for (const [index, line] of lines.entries()) {
    const equals = line.indexOf('=');
    if (equals < 1 || equals > 200 || /[=>]/.test(line[equals + 1] ?? '') || /[(!<>]/.test(line.slice(0, equals)))
      continue;
    const [, name] = /(\w+)\s{0,9}$/.exec((line.slice(0, equals).split(':')[0] ?? '').trimEnd()) ?? [];
    if (name !== undefined)
      made.set(name, `${made.get(name) ?? ''} ${line.slice(0, 400)} ${lines[index + 1]?.slice(0, 400)}`);
  }
  return made;
}

/** Asked in the order of the text. */
function lineCounter(text: string): (at: number) => number {
  let line = 1;
  let counted = 0;
  return (at) => {
    for (; counted < at; counted++) if (text[counted] === '\n') line++;
    return line;
  };
}

function judgeAddress(known: readonly KnownCall[], text: string, { at, url }: Extract<Spoken, { is: 'address' }>) {
  const path = url.replace(/^https?:\/\/[^/?#]*/, '').replace(/[?].*$/, '');
  if (/^(\/v3)?\/?$/.test(path)) {
    const why = 'an address that paths are put behind: set it to that of the server, and look at the paths';
    return { call: url, verdict: { is: 'unclear' as const, why } };
  }
  const method = methodNear(text, at, url.length);
  return { call: `${method ?? '?'} ${path}`, verdict: verdictOnPath(known, method, path) };
}

/** `.post(`, `-X POST`, `method: 'POST'`: before the address on its line, or soon after it. */
function methodNear(text: string, at: number, length: number): string | null {
  const before = text.slice(Math.max(0, text.lastIndexOf('\n', at), at - 120), at);
  const [after = ''] = text.slice(at + length, at + length + 200).split(/;|https?:/);
  const verb = /\b(get|post|put|patch|delete)\b/i;
  const found =
    verb.exec(before) ?? /(?:method|request|-X|customrequest)\W{1,6}(get|post|put|patch|delete)\b/i.exec(after);
  return found?.[1]?.toUpperCase() ?? null;
}
