/** Which relay an attempt came to, and which ones it passed over on the way. */

/** `never`: it said that it will not take this mail, whenever it is asked. */
export type PassedOver = { relay: string; reason: string; never?: true };

/** `relay` is null where no attempt got as far as a relay. */
export type Tried = { relay: string | null; passedOver: readonly PassedOver[] };

export const nobodyTried: Tried = { relay: null, passedOver: [] };

/** Of a relay's words; they are kept in full where they decide. */
const reasonCharsMax = 300;

export function passOver(relay: string, reason: string): PassedOver {
  return { relay, reason: reason.slice(0, reasonCharsMax) };
}
