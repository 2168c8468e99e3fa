/** Wake-ups between the processes of one database: LISTEN on a connection of its own, NOTIFY at most every few milliseconds. */

import { randomUUID } from 'node:crypto';
import { Connection } from './connection.ts';
import type { Readers } from './reader.ts';
import type { Watch } from './watch.ts';

/**
 * Whether what other processes announce is heard. `pooled`: a pooler stands between, behind which nobody would hear.
 * `elsewhere`: it listens, but not to the database that is announced to.
 */
export type Hearing = { state: 'works' | 'pooled' | 'elsewhere' } | { state: 'fails'; cause: unknown };

export type SignalsOptions = {
  url: string;
  /** Where announcements are sent from. */
  readers: Readers;
  watch: Watch;
  /** Told at each change; that it works at first is no news. */
  onHearing: (hearing: Hearing) => void;
};

/** One announcement tells all: within the transaction that queues, NOTIFY would make commits wait for each other. */
const announceEveryMs = 20;

const backOffMs = 1_000;
/** Nothing announces the silence of a session that only listens: it is asked once a second. */
const silenceMs = 10_000;
const channel = 'sendonce';

export class Signals {
  readonly #options: SignalsOptions;
  readonly #self = randomUUID();
  #listener: (() => void) | null = null;
  #connection: Connection | null = null;
  #announcing: NodeJS.Timeout | null = null;
  #watching: NodeJS.Timeout | null = null;
  #hearing: Hearing['state'] = 'works';
  #hasHeardItself = false;
  #opening = false;
  #isClosed = false;

  constructor(options: SignalsOptions) {
    this.#options = options;
  }

  announce(): void {
    this.#announcing ??= setTimeout(() => {
      this.#announcing = null;
      void this.#announceNow().catch(() => {});
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

  async #announceNow(): Promise<void> {
    await this.#options.readers.all(`select pg_notify('${channel}', ?)`, [this.#self]);
  }

  async #keepListening(): Promise<void> {
    if (this.#opening) return;
    if (this.#connection && !this.#connection.isBroken) return this.#ask(this.#connection);
    this.#opening = true;
    const { url, watch } = this.#options;
    const onOpening = (opening: Connection) => watch.add(opening, { commits: false, limitMs: silenceMs });
    try {
      const connection = await Connection.open({ url, name: 'sendonce listens', silenceMs: null, onOpening });
      connection.onNotification((sender) => this.#hear(sender));
      if (this.#isClosed) return await connection.close();
      this.#connection = connection;
      if (!connection.isPooled) await connection.query(`listen ${channel}`);
      // Whatever was announced while nobody listened.
      this.#listener?.();
      if (connection.isPooled) return this.#tell({ state: 'pooled' });
      await this.#listenToOurselves(connection);
    } catch (cause) {
      // Looked at again in a second; polling finds what is due meanwhile.
      this.#connection?.destroy();
      this.#tell({ state: 'fails', cause });
    } finally {
      this.#opening = false;
    }
  }

  /** Whether it is still there; that it is not shows at the next round. */
  async #ask(connection: Connection): Promise<void> {
    if (connection.silentSince === null) await connection.query('select 1').catch(() => {});
  }

  /**
   * Any database lets us listen: only what we announce ourselves proves that it is the one others announce to. A server passes
   * on what was committed before it answers what it is asked afterwards.
   */
  async #listenToOurselves(connection: Connection): Promise<void> {
    this.#hasHeardItself = false;
    await this.#announceNow();
    await connection.query('select 1');
    this.#tell({ state: this.#hasHeardItself ? 'works' : 'elsewhere' });
  }

  #hear(sender: string): void {
    if (sender === this.#self) {
      this.#hasHeardItself = true;
      this.#tell({ state: 'works' });
    } else {
      this.#listener?.();
    }
  }

  #tell(hearing: Hearing): void {
    if (this.#isClosed || hearing.state === this.#hearing) return;
    this.#hearing = hearing.state;
    this.#options.onHearing(hearing);
  }
}
