/** "Something may be due", told to the workers of this process and to other processes. */

import type { Database } from '../store/database.ts';

export class WakeUps {
  readonly #database: Database;
  #workers: readonly { wake(): void }[] = [];

  constructor(database: Database) {
    this.#database = database;
  }

  /** From now on they are woken, by other processes, too. */
  join(workers: readonly { wake(): void }[]): void {
    this.#workers = workers;
    if (workers.length > 0) this.#database.onAnnounced(this.wake);
  }

  readonly wake = (): void => {
    for (const worker of this.#workers) worker.wake();
  };

  /** After a commit that queued something. */
  readonly onQueued = (): void => {
    this.wake();
    this.#database.announce();
  };
}
