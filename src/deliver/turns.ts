/** When an attempt may begin: beside the others, or alone, where others before it have ended without a word. */

/**
 * Handed to the relay for so long, with the worker alive: whatever a mail may do to a process by what is in it, it has not done.
 * Reading and composing take milliseconds.
 */
export const harmlessAfterMs = 1_000;

/** One that waits for something that never comes must not keep the others for ever: its lease ends it. */
const aloneMsMax = 30_000;

/** How often the one that waits to be alone looks whether it is. */
const lookEveryMs = 20;

export class Turns {
  readonly #open = new Set<Turn>();
  /** Set while one is alone, or waits for it: nobody else begins. */
  #closed: Promise<void> | null = null;

  async begin(): Promise<Turn> {
    while (this.#closed) await this.#closed;
    return this.#enter();
  }

  /** Resolves when all that is under way is known to be harmless; until this turn is harmless or over nothing else begins. */
  async beginAlone(): Promise<Turn> {
    while (this.#closed) await this.#closed;
    let open = () => {};
    const closed = new Promise<void>((resolve) => {
      open = resolve;
    });
    this.#closed = closed;
    while ([...this.#open].some((turn) => !turn.isHarmless)) {
      await new Promise((resolve) => setTimeout(resolve, lookEveryMs));
    }
    const letOthers = () => {
      clearTimeout(timer);
      if (this.#closed === closed) this.#closed = null;
      open();
    };
    const timer = setTimeout(letOthers, aloneMsMax);
    timer.unref();
    return this.#enter(letOthers);
  }

  #enter(onHarmless = () => {}): Turn {
    const turn = new Turn(onHarmless, () => this.#open.delete(turn));
    this.#open.add(turn);
    return turn;
  }
}

export class Turn {
  #shippedAt = Number.POSITIVE_INFINITY;
  readonly #onHarmless: () => void;
  readonly #onEnd: () => void;

  constructor(onHarmless: () => void, onEnd: () => void) {
    this.#onHarmless = onHarmless;
    this.#onEnd = onEnd;
  }

  get isHarmless(): boolean {
    return performance.now() - this.#shippedAt >= harmlessAfterMs;
  }

  /** The relay has it from here on. */
  shipped(): void {
    this.#shippedAt = performance.now();
  }

  /** Others may begin beside it. */
  letOthers(): void {
    this.#onHarmless();
  }

  end(): void {
    this.#onEnd();
    this.#onHarmless();
  }
}
