/** What this process is at, by name: whoever comes for the same waits for it instead of racing it. */

export class UnderWay {
  /** Who waits for each; null: nobody yet, as nearly always. */
  readonly #works = new Map<string, (() => void)[] | null>();

  /** False: it is under way already. */
  begin(about: string): boolean {
    if (this.#works.has(about)) return false;
    this.#works.set(about, null);
    return true;
  }

  end(about: string): void {
    const waiting = this.#works.get(about);
    this.#works.delete(about);
    for (const tell of waiting ?? []) tell();
  }

  /** Resolves when it has ended, or at `giveUpAt` (of `performance.now`). */
  async ended(about: string, giveUpAt: number): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const expired = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, Math.max(0, giveUpAt - performance.now()));
    });
    await Promise.race([this.#told(about), expired]);
    clearTimeout(timer);
  }

  /** When it ends. */
  #told(about: string): Promise<void> {
    const waiting = this.#works.get(about);
    if (waiting === undefined) return Promise.resolve();
    return new Promise((resolve) => this.#works.set(about, [...(waiting ?? []), resolve]));
  }
}
