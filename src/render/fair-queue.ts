/** What waits for a thread: accounts take turns, and within an account what is smallest goes first. */

export type Waiting = {
  account: string;
  /** How much there is to be read: what costs little should not wait behind what may cost much. */
  chars: number;
};

export class FairQueue<T extends Waiting> {
  /** In the order of their turns. */
  readonly #accounts = new Map<string, T[]>();

  add(one: T): void {
    const waiting = this.#accounts.get(one.account);
    if (!waiting) {
      this.#accounts.set(one.account, [one]);
      return;
    }
    const at = waiting.findIndex((other) => other.chars > one.chars);
    waiting.splice(at === -1 ? waiting.length : at, 0, one);
  }

  /** Null: nothing waits. */
  take(): T | null {
    const [turn] = this.#accounts;
    if (!turn) return null;
    const [account, waiting] = turn;
    const one = waiting.shift() ?? null;
    // Its next turn comes after everybody else's.
    this.#accounts.delete(account);
    if (waiting.length > 0) this.#accounts.set(account, waiting);
    return one;
  }

  /** Will not wait any longer. */
  remove(one: T): void {
    const waiting = this.#accounts.get(one.account) ?? [];
    const at = waiting.indexOf(one);
    if (at === -1) return;
    waiting.splice(at, 1);
    if (waiting.length === 0) this.#accounts.delete(one.account);
  }
}
