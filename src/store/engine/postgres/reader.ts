/** Reads of committed rows, each a statement of its own, on connections that are opened when they are first needed. */

import { cannotRead } from '../../../core/error.ts';
import type { SqlValue } from '../../database.ts';
import { Connection, ConnectionLost } from './connection.ts';
import { troubleOf } from './error.ts';

export type ReadersOptions = { url: string; name: string; connections: number; silenceMs: number };

/** How long a read waits for a server that is away. */
const patienceMs = 3_000;
const pauseMs = 50;

type Slot = { connection: Connection | null; opening: Promise<Connection> | null };

export class Readers {
  readonly #options: ReadersOptions;
  readonly #slots: Slot[];
  #next = 0;
  #isClosed = false;

  constructor(options: ReadersOptions) {
    this.#options = options;
    this.#slots = Array.from({ length: options.connections }, () => ({ connection: null, opening: null }));
  }

  /** @throws AppError `unavailable`, or what the server says about the statement. */
  async all<R>(sql: string, params: SqlValue[]): Promise<R[]> {
    const giveUpAt = performance.now() + patienceMs;
    for (;;) {
      try {
        const connection = await this.#connected();
        return (await connection.query<R>(sql, params)).rows;
      } catch (error) {
        if (troubleOf(error) === 'wrong') throw error;
        if (this.#isClosed || performance.now() > giveUpAt) throw cannotRead(error);
        await new Promise((resolve) => setTimeout(resolve, pauseMs));
      }
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    for (const { connection, opening } of this.#slots) {
      await (await opening?.catch(() => null))?.close();
      await connection?.close();
    }
  }

  /** In turn: what one connection is asked is answered in order, so that a slow answer holds up what is behind it. */
  #connected(): Connection | Promise<Connection> {
    if (this.#isClosed) throw new ConnectionLost('it was closed');
    const slot = this.#slots[this.#next] as Slot;
    this.#next = (this.#next + 1) % this.#slots.length;
    if (slot.connection && !slot.connection.isBroken) return slot.connection;
    slot.opening ??= this.#open(slot);
    return slot.opening;
  }

  async #open(slot: Slot): Promise<Connection> {
    const { url, name, silenceMs } = this.#options;
    try {
      slot.connection = await Connection.open({ url, name, silenceMs });
      return slot.connection;
    } finally {
      slot.opening = null;
    }
  }
}
