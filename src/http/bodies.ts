/** The bodies of all requests under way: how much memory they may hold together, and how fast they have to arrive. */

import type { IncomingMessage } from 'node:http';
import type { Readable } from 'node:stream';
import { collectAfter } from '../collect.ts';
import type { Limits } from '../config/limits.ts';
import { AppError } from '../core/error.ts';
import { Room } from '../core/room.ts';
import { Arriving, type Look } from './arriving.ts';

export type BodyLimits = Pick<
  Limits,
  | 'smallBodyBytesMax'
  | 'smallBodiesBytesMax'
  | 'largeBodiesBytesMax'
  | 'bodyTurnMs'
  | 'bodyWindowMs'
  | 'bodyBytesPerSecondMin'
  | 'bodyTimeoutMs'
>;

/** The raw bytes of a request: needed whole for the fingerprint. They count as held until they are released. */
export type Body = { bytes: Uint8Array; release(): void };

/** Why a body was not taken, for metrics. */
export type BodyRefusal = 'memory' | 'slow';

type Terms = { declared: number; bytesMax: number; look?: Look | undefined };

export class Bodies {
  readonly #limits: BodyLimits;
  readonly #onRefused: (why: BodyRefusal) => void;
  readonly #small: Room;
  readonly #large: Room;
  readonly #atWork: Room;
  readonly #arriving = new Set<Arriving>();
  #sweep: NodeJS.Timeout | null = null;

  /** `atWork` is shared with large mails on their way out. */
  constructor(limits: BodyLimits, atWork: Room, onRefused: (why: BodyRefusal) => void) {
    this.#limits = limits;
    this.#onRefused = onRefused;
    this.#small = new Room(limits.smallBodiesBytesMax);
    this.#large = new Room(limits.largeBodiesBytesMax);
    this.#atWork = atWork;
  }

  /**
   * The whole body, whatever method and headers claim, once it is its turn to be read.
   * @throws AppError `too_large`; `too_slow`; `unavailable` where others hold the memory; whatever `look` throws at a piece of
   * it. ClientGone.
   */
  read(incoming: IncomingMessage, bytesMax: number, look?: Look): Promise<Body> {
    return this.readFrom(incoming, { declared: Number(incoming.headers['content-length'] ?? 0), bytesMax, look });
  }

  /** The same of any stream; `declared`: what its sender says it will have, 0 where it says nothing. */
  async readFrom(source: Readable, { declared, bytesMax, look = () => {} }: Terms): Promise<Body> {
    const held = new Held(this.#small, this.#large, this.#limits.smallBodyBytesMax);
    try {
      const bytes = await this.#arrive(source, { declared, bytesMax, look }, held);
      const atWork = held.isLarge ? await this.#turn(bytes.length) : 0;
      const { length } = bytes;
      const release = () => {
        if (!held.isLarge) return held.release();
        // What was made of it is nobody's by then.
        setImmediate(() => {
          collectAfter(length);
          held.release();
          this.#atWork.give(atWork);
        });
      };
      return { bytes, release };
    } catch (error) {
      held.release();
      // The rest is read and thrown away, so that the client gets to read the answer.
      source.resume();
      throw error;
    }
  }

  async #arrive(
    source: Readable,
    { declared, bytesMax, look }: Terms & { look: Look },
    held: Held,
  ): Promise<Uint8Array> {
    if (declared > bytesMax) throw tooLarge(bytesMax);
    if (!held.wouldFit(declared)) throw this.#full();
    const arriving = new Arriving(source, declared, (chunk, size) => {
      if (size > bytesMax) throw tooLarge(bytesMax);
      if (!held.grow(size)) throw this.#full();
      look(chunk);
    });
    this.#arriving.add(arriving);
    this.#sweep ??= setInterval(() => this.#endSlow(), this.#limits.bodyWindowMs / 2).unref();
    try {
      return await arriving.done;
    } finally {
      this.#arriving.delete(arriving);
    }
  }

  /** Large bodies are parsed and accepted only as many at once as there is memory for: that takes each several times its size. */
  async #turn(bytes: number): Promise<number> {
    const taken = await this.#atWork.take(bytes, this.#limits.bodyTurnMs);
    if (taken === null) throw this.#full();
    return taken;
  }

  #endSlow(): void {
    for (const one of this.#arriving) {
      if (one.isFastEnough(this.#limits)) continue;
      this.#onRefused('slow');
      one.end(new AppError('too_slow', 'The request did not arrive in time.'));
    }
    if (this.#arriving.size > 0 || !this.#sweep) return;
    clearInterval(this.#sweep);
    this.#sweep = null;
  }

  #full(): AppError {
    this.#onRefused('memory');
    const message = 'Other requests hold the memory that is set aside for large ones; nothing was accepted. Try again.';
    return new AppError('unavailable', message, { retryAfterSeconds });
  }
}

/** A large request takes about a second. */
const retryAfterSeconds = 2;

/** What one body has taken of which room: it begins among the small ones. */
class Held {
  readonly #small: Room;
  readonly #large: Room;
  readonly #smallMax: number;
  #bytes = 0;

  constructor(small: Room, large: Room, smallMax: number) {
    this.#small = small;
    this.#large = large;
    this.#smallMax = smallMax;
  }

  get isLarge(): boolean {
    return this.#bytes > this.#smallMax;
  }

  wouldFit(bytes: number): boolean {
    return this.#roomFor(bytes).hasFree(bytes);
  }

  /** False, and nothing has changed, where the room for `bytes` in all is used up. */
  grow(bytes: number): boolean {
    const from = this.#roomFor(this.#bytes);
    const to = this.#roomFor(bytes);
    if (!to.tryTake(from === to ? bytes - this.#bytes : bytes)) return false;
    if (from !== to) from.give(this.#bytes);
    this.#bytes = bytes;
    return true;
  }

  release(): void {
    this.#roomFor(this.#bytes).give(this.#bytes);
    this.#bytes = 0;
  }

  #roomFor(bytes: number): Room {
    return bytes > this.#smallMax ? this.#large : this.#small;
  }
}

function tooLarge(bytesMax: number): AppError {
  return new AppError('too_large', `The request body must have at most ${bytesMax} bytes.`);
}
