/** Large mails are composed one after the other, beside large requests, and only as many are on their way as there is memory for. */

import { collectAfter } from '../collect.ts';
import { Room } from '../core/room.ts';

export type LargeMailLimits = {
  /** From here on a mail counts as large. */
  largeMailBytesMin: number;
  largeMailsBytesMax: number;
  largeMailWaitMs: number;
  /** Until one that found no room is tried again. */
  largeMailPauseMs: number;
};

/** What one mail has taken: `composed` when it is bytes, `done` when those are nobody's. */
export type Passage = { composed(): void; done(): void };

/** Base64 and line ends. */
const growth = 1.4;
/** Composing takes some ten times what is stored, accepting a body five times: what both share is counted in bodies. */
const composing = 2.5;

export class LargeMails {
  readonly limits: LargeMailLimits;
  readonly #atWork: Room;
  readonly #onTheirWay: Room;

  /** `atWork` is shared with the bodies of requests. */
  constructor(atWork: Room, limits: LargeMailLimits) {
    this.limits = limits;
    this.#atWork = atWork;
    this.#onTheirWay = new Room(limits.largeMailsBytesMax);
  }

  /** Null: there is no memory for it now. */
  async enter(storedBytes: number): Promise<Passage | null> {
    const onTheWay = await this.#onTheirWay.take(Math.ceil(storedBytes * growth), 0);
    if (onTheWay === null) return null;
    const atWork = await this.#atWork.take(Math.ceil(storedBytes * composing), this.limits.largeMailWaitMs);
    if (atWork === null) {
      this.#onTheirWay.give(onTheWay);
      return null;
    }
    let isComposed = false;
    const composed = () => {
      if (isComposed) return;
      isComposed = true;
      collectAfter(storedBytes);
      this.#atWork.give(atWork);
    };
    return {
      composed,
      done: () => {
        composed();
        // What has left is nobody's by then.
        setImmediate(() => {
          collectAfter(storedBytes);
          this.#onTheirWay.give(onTheWay);
        });
      },
    };
  }
}
