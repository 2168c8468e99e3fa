/** Members of a body that nothing reads, where it is clear which one was meant: an answer of 200 would hide the mistake. */

import { nearestOf } from '../core/spelling.ts';
import { isFields } from './fields.ts';

export type Members = {
  known: readonly string[];
  /** What other APIs call them. */
  elsewhere: Readonly<Record<string, string>>;
};

/** More are looked at in no body: a sender who makes up names must not be paid for it with time. */
const unknownMax = 20;
/** It is told in a header. */
const isName = /^[\w-]{1,40}$/;

/** A sentence, or null. `body` may be a batch; each mistake is told once. */
export function warnAboutMembers(members: Members, body: unknown): string | null {
  const { known, elsewhere } = members;
  const names = namesOf(members);
  const unknown = new Set<string>();
  for (const item of Array.isArray(body) ? body : [body]) {
    if (!isFields(item)) continue;
    for (const name in item) {
      if (unknown.size < unknownMax && !names.has(name) && isName.test(name)) unknown.add(name);
    }
  }
  if (unknown.size === 0) return null;
  const told = [...unknown].flatMap((name) => {
    const meant = (Object.hasOwn(elsewhere, name) && elsewhere[name]) || spelledLike(name, known);
    return meant ? [`\`${name}\` is ignored: \`${meant}\` is probably meant.`] : [];
  });
  return told.length === 0 ? null : told.join(' ');
}

const sets = new WeakMap<Members, ReadonlySet<string>>();

function namesOf(members: Members): ReadonlySet<string> {
  const made = sets.get(members) ?? new Set(members.known);
  sets.set(members, made);
  return made;
}

/** One text of several warnings; null where there is none. */
export function joined(...warnings: (string | null)[]): string | null {
  return warnings.filter((one) => one !== null).join(' ') || null;
}

/** `replyTo` for `reply_to`, and the other way round; or a letter or two. */
function spelledLike(name: string, known: readonly string[]): string | null {
  const plain = (text: string) => text.toLowerCase().replace(/[_-]/g, '');
  const same = known.find((one) => plain(one) === plain(name));
  return same ?? (name.length < nameCharsMin ? null : nearestOf(name, known));
}

/** Shorter ones are near to anything: `too` and `cto`. */
const nameCharsMin = 4;
