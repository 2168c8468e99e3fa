/** Room for so many bytes at once: who asks for more than there is waits in line, or is told that there is none. */

type Waiting = { bytes: number; enter: () => void };

export class Room {
  readonly #sizeBytes: number;
  #usedBytes = 0;
  readonly #waiting = new Set<Waiting>();

  constructor(sizeBytes: number) {
    this.#sizeBytes = sizeBytes;
  }

  hasFree(bytes: number): boolean {
    return this.#usedBytes + bytes <= this.#sizeBytes;
  }

  /** False, and nothing was taken, where so much is not free. */
  tryTake(bytes: number): boolean {
    if (!this.hasFree(bytes)) return false;
    this.#usedBytes += bytes;
    return true;
  }

  give(bytes: number): void {
    this.#usedBytes -= bytes;
    for (const first of this.#waiting) {
      if (!this.tryTake(first.bytes)) return;
      this.#waiting.delete(first);
      first.enter();
    }
  }

  /**
   * In line behind those who came before. Tells how much was taken: who wants more than there is gets all of it. Null:
   * nothing was free within `waitMs`.
   */
  take(bytes: number, waitMs: number): Promise<number | null> {
    const wanted = Math.min(bytes, this.#sizeBytes);
    if (this.#waiting.size === 0 && this.tryTake(wanted)) return Promise.resolve(wanted);
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        this.#waiting.delete(one);
        resolve(null);
        // Smaller ones may have stood behind it.
        this.give(0);
      }, waitMs);
      const one: Waiting = {
        bytes: wanted,
        enter: () => {
          clearTimeout(timer);
          resolve(wanted);
        },
      };
      this.#waiting.add(one);
    });
  }
}
