/** Wake-ups between the processes of one database: LISTEN on a connection of its own, NOTIFY at most every few milliseconds. */

import { randomUUID } from 'node:crypto';
import { Connection } from './postgres-connection.ts';
import type { Readers } from './postgres-reader.ts';

export type SignalsOptions = {
  url: string;
  /** Where announcements are sent from. */
  readers: Readers;
};

/** One announcement tells all: within the transaction that queues, NOTIFY would make commits wait for each other. */
const announceEveryMs = 20;

const backOffMs = 1_000;
const channel = 'sendonce';

export class Signals {
  readonly #options: SignalsOptions;
  readonly #self = randomUUID();
  #listener: (() => void) | null = null;
  #connection: Connection | null = null;
  #announcing: NodeJS.Timeout | null = null;
  #watching: NodeJS.Timeout | null = null;
  #opening = false;
  #isClosed = false;

  constructor(options: SignalsOptions) {
    this.#options = options;
  }

  announce(): void {
    this.#announcing ??= setTimeout(() => {
      this.#announcing = null;
      const { readers } = this.#options;
      void readers.all(`select pg_notify('${channel}', ?)`, [this.#self]).catch(() => {});
    }, announceEveryMs).unref();
  }

  listen(listener: () => void): void {
    this.#listener = listener;
    this.#watching ??= setInterval(() => void this.#keepListening(), backOffMs).unref();
    void this.#keepListening();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    if (this.#announcing) clearTimeout(this.#announcing);
    if (this.#watching) clearInterval(this.#watching);
    await this.#connection?.close();
  }

  /** Behind a pooler nobody would hear: polling does it alone then. */
  async #keepListening(): Promise<void> {
    if (this.#opening || (this.#connection && !this.#connection.isBroken)) return;
    this.#opening = true;
    try {
      const connection = await Connection.open({ url: this.#options.url, name: 'sendonce listens', silenceMs: null });
      connection.onNotification((sender) => {
        if (sender !== this.#self) this.#listener?.();
      });
      if (this.#isClosed) return await connection.close();
      this.#connection = connection;
      if (!connection.isPooled) await connection.query(`listen ${channel}`);
      // Whatever was announced while nobody listened.
      this.#listener?.();
    } catch {
      // The server is away: looked at again in a second, and polling finds what is due meanwhile.
    } finally {
      this.#opening = false;
    }
  }
}
