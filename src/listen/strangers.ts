/** Connections over which nobody has signed in: few from one address, and none for long, so that they keep nobody else out. */

import { networkOf } from '../egress/address.ts';

export type StrangerLimits = { perAddressMax: number; msMax: number };

export const strangerLimits: StrangerLimits = {
  // A fleet behind one address signs in at once; what does not is a server with bounces, or a scanner.
  perAddressMax: 200,
  // As long as RFC 5321 4.5.3.2 gives one command.
  msMax: 300_000,
};

type Stranger = { network: string; timer: NodeJS.Timeout };

export class Strangers {
  readonly #limits: StrangerLimits;
  readonly #byId = new Map<string, Stranger>();
  readonly #counts = new Map<string, number>();

  constructor(limits: StrangerLimits) {
    this.#limits = limits;
  }

  /** False, and it does not count, where there are too many of its network. `end` is called when it has been one for too long. */
  enter(id: string, address: string, end: () => void): boolean {
    const network = networkOf(address);
    const count = this.#counts.get(network) ?? 0;
    if (count >= this.#limits.perAddressMax) return false;
    this.#counts.set(network, count + 1);
    const timer = setTimeout(end, this.#limits.msMax);
    timer.unref();
    this.#byId.set(id, { network, timer });
    return true;
  }

  /** It has signed in, or gone. */
  leave(id: string): void {
    const one = this.#byId.get(id);
    if (!one) return;
    clearTimeout(one.timer);
    this.#byId.delete(id);
    const left = (this.#counts.get(one.network) ?? 1) - 1;
    if (left > 0) this.#counts.set(one.network, left);
    else this.#counts.delete(one.network);
  }
}
