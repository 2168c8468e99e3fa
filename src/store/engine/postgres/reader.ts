/** Reads of committed rows, each a statement of its own, on connections that are opened when they are first needed. */

import { cannotRead } from '../../../core/error.ts';
import type { SqlValue } from '../../database.ts';
import type { Admission } from './admission.ts';
import { Connection, ConnectionLost } from './connection.ts';
import { troubleOf } from './error.ts';
import type { Marker } from './marker.ts';
import type { Watch } from './watch.ts';

export type ReadersOptions = {
  url: string;
  name: string;
  connections: number;
  silenceMs: number;
  admission: Admission;
  watch: Watch;
};

/** How long a read waits for a server that is away. */
const patienceMs = 3_000;
const pauseMs = 50;

type Open = { connection: Connection; marker: Marker };
type Slot = { open: Open | null; opening: Promise<Open> | null };

export class Readers {
  readonly #options: ReadersOptions;
  readonly #slots: Slot[];
  #next = 0;
  #isClosed = false;

  constructor(options: ReadersOptions) {
    this.#options = options;
    this.#slots = Array.from({ length: options.connections }, () => ({ open: null, opening: null }));
  }

  /** @throws AppError `unavailable`, or what the server says about the statement. */
  async all<R>(sql: string, params: SqlValue[]): Promise<R[]> {
    const giveUpAt = performance.now() + patienceMs;
    for (;;) {
      try {
        const { connection } = await before(giveUpAt, this.#connected());
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
    for (const { open, opening } of this.#slots) {
      const last = (await opening?.catch(() => null)) ?? open;
      if (last && !last.connection.isBroken) await this.#leave(last);
    }
  }

  async #leave({ connection, marker }: Open): Promise<void> {
    this.#options.admission.forget(marker);
    await marker.remove(connection).catch(() => {});
    await connection.close();
  }

  /** In turn: what one connection is asked is answered in order, so that a slow answer holds up what is behind it. */
  #connected(): Open | Promise<Open> {
    if (this.#isClosed) throw new ConnectionLost('it was closed');
    const slot = this.#slots[this.#next] as Slot;
    this.#next = (this.#next + 1) % this.#slots.length;
    if (slot.open && !slot.open.connection.isBroken) return slot.open;
    slot.opening ??= this.#open(slot);
    return slot.opening;
  }

  async #open(slot: Slot): Promise<Open> {
    const { url, name, silenceMs, admission, watch } = this.#options;
    const onOpening = (opening: Connection) => watch.add(opening, { commits: false, limitMs: silenceMs });
    try {
      const connection = await Connection.open({ url, name, silenceMs: null, onOpening });
      try {
        slot.open = { connection, marker: await admission.admit(connection) };
      } catch (error) {
        connection.destroy();
        throw error;
      }
      return slot.open;
    } finally {
      slot.opening = null;
    }
  }
}

/** The first commit on a connection may hang: who asks is not kept waiting for that. */
async function before<T>(giveUpAt: number, opening: T | Promise<T>): Promise<T> {
  if (!(opening instanceof Promise)) return opening;
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new ConnectionLost('it is not open yet')), giveUpAt - performance.now());
  });
  opening.catch(() => {});
  try {
    return await Promise.race([opening, late]);
  } finally {
    clearTimeout(timer);
  }
}
