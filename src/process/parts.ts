/** What starts and stops itself, and the order it is done in: stopped in the reverse of how it was started. */

export type Part = {
  /** One that fails has left nothing open. */
  start(): Promise<void> | void;
  stop(): Promise<void> | void;
};

export class Parts {
  readonly #started: Part['stop'][] = [];

  async start<P extends Part>(part: P): Promise<P> {
    await part.start();
    this.#started.push(() => part.stop());
    return part;
  }

  /** Is open already: `close` is what its stop does. */
  opened(close: Part['stop']): void {
    this.#started.push(close);
  }

  /** Each in its turn, whatever the one before it did. @throws what the first one that failed threw. */
  async stop(): Promise<void> {
    const failures: unknown[] = [];
    for (const stop of this.#started.splice(0).reverse()) {
      try {
        await stop();
      } catch (error) {
        failures.push(error);
      }
    }
    if (failures.length > 0) throw failures[0];
  }
}

/** Started one after the other, stopped at once: none of them waits for another to end. */
export function together(parts: readonly Part[]): Part {
  let started: Part[] = [];

  async function stop(): Promise<void> {
    const ended = await Promise.allSettled(started.splice(0).map(async (part) => part.stop()));
    const failed = ended.find((one) => one.status === 'rejected');
    if (failed) throw failed.reason;
  }

  return {
    stop,
    async start() {
      started = [];
      try {
        for (const part of parts) {
          await part.start();
          started.push(part);
        }
      } catch (error) {
        await stop().catch(() => {});
        throw error;
      }
    },
  };
}
