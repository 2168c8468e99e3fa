/** What people asked for and what they were told: all that the checker may hold the server to. */

import { type Asking, Client, type Reply } from './client.ts';
import { pause } from './load.ts';

/** `unknown`: no answer came, or one that only says "come again"; it may have been done, and may yet be. */
export type Outcome = 'done' | 'refused' | 'unknown';

export type Deed = {
  /** By `performance.now()`. */
  begunAt: number;
  endedAt: number;
  outcome: Outcome;
  /** The answer, for the message of a violation. */
  said: string;
};

export type Cancel = Deed & { facade: 'resend' | 'brevo'; emails: string[] };
/** By the lab's clock. A time that has passed when the server reads it means that moment, which is no later than the answer. */
export type Reschedule = Deed & { email: string; to: number; answeredAt: number };
/** `state` is what the answer makes of it. */
export type DoubtAnswer = Deed & { email: string; part: number; state: 'sent' | 'queued' | 'failed' };
export type SuppressionChange = Deed & { address: string; kind: 'add' | 'remove' };
export type Revocation = Deed & { token: string };

export type Deeds = {
  cancels: Cancel[];
  reschedules: Reschedule[];
  doubtAnswers: DoubtAnswer[];
  suppressions: SuppressionChange[];
  revocations: Revocation[];
};

export function noDeeds(): Deeds {
  return { cancels: [], reschedules: [], doubtAnswers: [], suppressions: [], revocations: [] };
}

/** Longer than a client waits: people are patient, and what they are told can be held against the server. */
const patienceMs = 4_000;

/** One person at one desk: asks, and notes what came of it. */
export class Desk {
  readonly #client = new Client();
  readonly #target: () => string | null;

  constructor(target: () => string | null) {
    this.#target = target;
  }

  /** Resolves with the address once somebody listens; null when it is not worth waiting any longer. */
  async #address(): Promise<string | null> {
    const giveUpAt = performance.now() + patienceMs;
    for (;;) {
      const url = this.#target();
      if (url !== null || performance.now() > giveUpAt) return url;
      await pause(10);
    }
  }

  /** Null: nobody was there to be asked. */
  async ask(asking: Omit<Asking, 'text'> & { body?: unknown }): Promise<(Deed & { reply: Reply | null }) | null> {
    const url = await this.#address();
    if (url === null) return null;
    const { body, ...rest } = asking;
    const begunAt = performance.now();
    let isThere = true;
    const asked = { ...rest, ...(body === undefined ? {} : { text: JSON.stringify(body) }) };
    const reply = await this.#client.ask(url, asked, patienceMs, () => {
      isThere = false;
    });
    if (!isThere) return null;
    const said = reply ? `${reply.status} ${reply.text}` : 'nothing';
    return { begunAt, endedAt: performance.now(), outcome: outcomeOf(reply), said, reply };
  }

  leave(): void {
    this.#client.hangUp();
  }
}

function outcomeOf(reply: Reply | null): Outcome {
  if (reply === null || reply.status >= 500 || reply.status === 429) return 'unknown';
  return reply.status < 300 ? 'done' : 'refused';
}
