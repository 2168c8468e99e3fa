/** What stands where the address of a person stood who wants to be forgotten. */

import { hash } from 'node:crypto';

/** RFC 6761 6.4: nobody is ever reached there. */
const domain = 'erased.invalid';

/** What still names an address to who asks about that very address: a suppression goes on suppressing, and says nobody's. */
export function erasedKey(account: string, key: string): string {
  return `${hash('sha256', `sendonce erased\n${account}\n${key}`, 'hex')}@${domain}`;
}

/** Names nobody, not even to who knows the address. */
export function standIn(random: Uint8Array): string {
  return `erased-${Buffer.from(random).toString('hex')}@${domain}`;
}

export type Eraser = (text: string) => string;

/** Puts `instead` where the address stands in any case, and not where it is the end or the beginning of another. */
export function createEraser(address: string, instead: string): Eraser {
  const literal = address.replace(/[.*+?^${}()|[\]\\/-]/g, '\\$&');
  const whole = new RegExp(`(?<![\\w.+\\u0080-\\u{10ffff}-])${literal}(?![\\w-]|\\.\\w)`, 'giu');
  return (text) => text.replace(whole, instead);
}

/** The same in each text of a value that came from JSON. */
export function eraseIn<T>(value: T, erase: Eraser): T {
  return JSON.parse(JSON.stringify(value), (_, member) => (typeof member === 'string' ? erase(member) : member));
}
