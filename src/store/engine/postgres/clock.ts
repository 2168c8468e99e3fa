/** The database's clock, as all its processes see it: asked now and then, and carried on by the monotonic clock in between. */

/** Asks for the server's epoch milliseconds. */
export type AskTime = () => Promise<number>;

/** Rates of two machines' clocks differ by some 50 ppm at most: half a millisecond in this time. */
const everyMs = 10_000;

/** An old answer is as good as a new one that came this much more slowly: what the rates may have drifted apart since. */
const driftPerMs = 0.00005;

const firstAnswers = 3;

export class DatabaseClock {
  readonly #ask: AskTime;
  #offset = 0;
  /** By how much `#offset` may be wrong, at `#measuredAt`. */
  #error = Number.POSITIVE_INFINITY;
  #measuredAt = 0;
  #timer: NodeJS.Timeout | null = null;

  constructor(ask: AskTime) {
    this.#ask = ask;
  }

  /** Epoch milliseconds. */
  now(): number {
    return performance.now() + this.#offset;
  }

  /** Asks a few times before it returns, and from then on now and then. */
  async start(): Promise<void> {
    for (let asked = 0; asked < firstAnswers; asked += 1) await this.#measure();
    this.#timer = setInterval(() => void this.#measure().catch(() => {}), everyMs);
    this.#timer.unref();
  }

  stop(): void {
    if (this.#timer) clearInterval(this.#timer);
  }

  /** The server read its clock some time between our two readings: the shorter that was, the more it tells. */
  async #measure(): Promise<void> {
    const before = performance.now();
    const server = await this.#ask();
    const after = performance.now();
    const error = (after - before) / 2;
    const offset = server - (before + after) / 2;
    const knownTo = this.#error + (after - this.#measuredAt) * driftPerMs;
    // A clock that was set is believed at once; otherwise only what is known better than before counts.
    const wasSet = Math.abs(offset - this.#offset) > error + knownTo;
    if (error > knownTo && !wasSet) return;
    this.#offset = offset;
    this.#error = error;
    this.#measuredAt = after;
  }
}
