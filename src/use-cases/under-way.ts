/** What this process is at, by name: whoever comes for the same waits for it instead of racing it. */

type Work = { ended: Promise<void>; end: () => void };

export class UnderWay {
  readonly #works = new Map<string, Work>();

  /** False: it is under way already. */
  begin(about: string): boolean {
    if (this.#works.has(about)) return false;
    let end = () => {};
    const ended = new Promise<void>((resolve) => {
      end = resolve;
    });
    this.#works.set(about, { ended, end });
    return true;
  }

  end(about: string): void {
    const work = this.#works.get(about);
    this.#works.delete(about);
    work?.end();
  }

  /** Resolves when it has ended, or at `giveUpAt` (of `performance.now`). */
  async ended(about: string, giveUpAt: number): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const expired = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, Math.max(0, giveUpAt - performance.now()));
    });
    await Promise.race([this.#works.get(about)?.ended, expired]);
    clearTimeout(timer);
  }
}
