/** Stage 1, where retries die: one transaction makes a 2xx true, and a key makes it true once. */

import assert from 'node:assert';
import type { Clock } from '../core/clock.ts';
import { type Email, emailOf, type Message } from '../core/email.ts';
import { groupRecipients, inDoubtPolicy, senderAddress } from '../core/envelope.ts';
import { AppError, Contended } from '../core/error.ts';
import { type Fingerprint, sameRequest } from '../core/fingerprint.ts';
import { expiresAt } from '../core/retry.ts';
import { keyHash } from '../core/token.ts';
import type { Database, Transaction } from '../store/database.ts';
import { findKey, type KeyRecord, takeKey } from '../store/idempotency.ts';
import { insertDelivery } from '../store/mail/deliveries.ts';
import { findEmail, insertEmail, type StoredEmail } from '../store/mail/emails.ts';
import { appendEvent } from '../store/mail/events.ts';
import { insertSuppressed, sift } from '../store/mail/withheld.ts';
import { findSuppressed } from '../store/suppressions.ts';
import type { KeyUses } from './key-uses.ts';

export type Request = {
  account: string;
  facade: string;
  /** Method and path; with the facade it is the scope of the key. */
  endpoint: string;
  /** Null: the client did not name its operation, each request is a new one. */
  key: string | null;
  fingerprint: () => Fingerprint;
  /** The client's User-Agent, shown in the key's history. */
  client: string | null;
};

/** What a facade made of a valid request. */
export type Submission = {
  messages: Message[];
  /** How long the key lives, counted from acceptance or, with `keyFollowsSchedule`, from the scheduled time. */
  lifetimeMs: number;
  keyFollowsSchedule: boolean;
  /** The answer, rendered inside the transaction that makes it true. */
  render: (emails: Email[]) => Answer;
};

export type Answer = { status: number; body: string };

export type Accepted =
  | { kind: 'accepted'; answer: Answer }
  /** The key was used before, for the same request. */
  | { kind: 'replay'; record: KeyRecord }
  /** The key was used before, for another request; `fields` names what differs, null where that cannot be told. */
  | { kind: 'conflict'; record: KeyRecord; fields: string[] | null };

/** Names the fields in which what was stored differs from the request at hand; null where nobody is told. */
export type Differences = ((stored: StoredEmail[]) => string[]) | null;

export type AcceptOptions = {
  database: Database;
  clock: Clock;
  nextId: (now: number) => string;
  keyUses: KeyUses;
  /** Told after a commit that queued something. */
  onQueued: (emails: number) => void;
};

/** How long a concurrent duplicate waits for the winner's answer before it is told to come back (docs/resend.md: 3 s). */
export const waitForWinnerMs = 3_000;

export class Accepting {
  readonly #options: AcceptOptions;
  /** Requests under way in this process, by key: a duplicate waits for them instead of racing them. */
  readonly #underWay = new Map<string, Promise<void>>();
  #unnamed = 0;

  constructor(options: AcceptOptions) {
    this.#options = options;
  }

  /**
   * Accepts once: looks the key up, validates through `prepare` only if it is free, and commits.
   * `differences` names the fields in which a stored submission differs from this one.
   * @throws AppError whatever `prepare` throws; `idempotency_busy` when the winner takes too long; `unavailable`.
   */
  async accept(request: Request, prepare: () => Promise<Submission>, differences: Differences): Promise<Accepted> {
    if (request.key === null) {
      const answer = await this.#commit(request, null, this.#newName(), await prepare());
      assert(answer, 'a request without a key cannot lose it');
      return { kind: 'accepted', answer };
    }
    const hash = keyHash(scopeOf(request), request.key);
    const slot = `${request.account} ${Buffer.from(hash).toString('base64')}`;
    const giveUpAt = performance.now() + waitForWinnerMs;
    do {
      const record = await findKey(this.#options.database, request.account, hash);
      if (record && record.expiresAt > this.#options.clock.expiryNow()) {
        return this.#known(request, record, differences);
      }
      const winner = this.#underWay.get(slot);
      if (winner) {
        await settledBefore(winner, giveUpAt);
        continue;
      }
      const answer = await this.#win(slot, async () => this.#commitUnlessHeld(request, hash, slot, await prepare()));
      if (answer) return { kind: 'accepted', answer };
    } while (performance.now() < giveUpAt);
    throw busy();
  }

  async #win<T>(slot: string, work: () => Promise<T>): Promise<T> {
    let finish = () => {};
    const finished = new Promise<void>((resolve) => {
      finish = resolve;
    });
    this.#underWay.set(slot, finished);
    try {
      return await work();
    } finally {
      this.#underWay.delete(slot);
      finish();
    }
  }

  async #known(request: Request, record: KeyRecord, differences: Differences): Promise<Accepted> {
    const use = { at: this.#options.clock.now(), client: request.client };
    if (sameRequest(request.fingerprint(), { raw: record.rawHash, canonical: record.canonicalHash })) {
      this.#options.keyUses.add(record, { ...use, kind: 'replay', fields: [] });
      return { kind: 'replay', record };
    }
    const fields = await this.#explain(record, differences);
    this.#options.keyUses.add(record, { ...use, kind: 'conflict', fields: fields ?? [] });
    return { kind: 'conflict', record, fields };
  }

  /** Comparing is a courtesy: a new request that is not even valid, or an old one that was purged, is still a conflict. */
  async #explain(record: KeyRecord, differences: Differences): Promise<string[] | null> {
    if (differences === null) return null;
    const stored: StoredEmail[] = [];
    for (const id of record.emailIds) {
      const email = await findEmail(this.#options.database, record.account, id);
      if (!email || email.purged) return null;
      stored.push(email);
    }
    try {
      return differences(stored);
    } catch (error) {
      if (error instanceof AppError) return null;
      throw error;
    }
  }

  /** Null also where another process holds the key and has not committed for a while: what came of it shows later. */
  async #commitUnlessHeld(request: Request, hash: Uint8Array, slot: string, submission: Submission) {
    try {
      return await this.#commit(request, hash, `key ${slot}`, submission);
    } catch (error) {
      if (error instanceof Contended) return null;
      throw error;
    }
  }

  /** Nobody else's: works about different things share a transaction. */
  #newName(): string {
    this.#unnamed += 1;
    return `new ${this.#unnamed}`;
  }

  /** Null: somebody else holds the key, and nothing was written. */
  async #commit(
    request: Request,
    hash: Uint8Array | null,
    about: string,
    submission: Submission,
  ): Promise<Answer | null> {
    if (submission.messages.length === 0) return submission.render([]);
    const named = hash && keyOf(request, hash);
    const { database, clock } = this.#options;
    const answer = await database.write(
      async (tx) => {
        const now = clock.now();
        const emails = submission.messages.map((message) => this.#toEmail(message, request.account, now));
        const rendered = submission.render(emails);
        const record = named && {
          ...named,
          status: rendered.status,
          body: rendered.body,
          emailIds: emails.map((email) => email.id),
          createdAt: now,
          expiresAt: keyExpiresAt(submission, now),
        };
        const groups = emails.map(groupRecipients);
        // Asked in one breath, which over a network is one way there and back.
        const [isOurs, suppressed] = await Promise.all([
          record ? takeKey(tx, record, clock.expiryNow()) : true,
          findSuppressed(tx, request.account, groups.flat(2)),
        ]);
        if (!isOurs) return null;
        await Promise.all(
          emails.flatMap((email, index) => [
            insertEmail(tx, email, request.facade, hash),
            insertDeliveries(tx, email, groups[index] ?? [], suppressed),
          ]),
        );
        return rendered;
      },
      { about },
    );
    if (answer) this.#options.onQueued(submission.messages.length);
    return answer;
  }

  #toEmail(message: Message, account: string, now: number): Email {
    const id = this.#options.nextId(now);
    const domain = senderAddress(message).split('@').pop();
    return emailOf(message, { account, id, messageId: `<${id}@${domain}>`, createdAt: now });
  }
}

/** What is known of a key before anything is accepted under it. */
function keyOf(
  request: Request,
  hash: Uint8Array,
): Pick<KeyRecord, 'account' | 'keyHash' | 'scope' | 'rawHash' | 'canonicalHash'> {
  const { raw, canonical } = request.fingerprint();
  return { account: request.account, keyHash: hash, scope: scopeOf(request), rawHash: raw, canonicalHash: canonical };
}

function scopeOf(request: Request): string {
  return `${request.facade} ${request.endpoint}`;
}

async function insertDeliveries(
  tx: Transaction,
  email: Email,
  groups: string[][],
  suppressed: Awaited<ReturnType<typeof findSuppressed>>,
): Promise<void> {
  const delivery = {
    account: email.account,
    emailId: email.id,
    runAt: Math.max(email.createdAt, email.scheduledAt ?? 0),
    giveUpAt: expiresAt(email.createdAt, email.scheduledAt),
    policy: inDoubtPolicy(email),
  };
  let part = 0;
  for (const recipients of groups) {
    const { clear, suppressed: withheld } = sift(recipients, suppressed);
    if (clear.length > 0) await insertDelivery(tx, { ...delivery, part: part++, state: 'queued', recipients: clear });
    if (withheld.size > 0) part = await insertSuppressed(tx, { ...delivery, runAt: email.createdAt }, withheld, part);
  }
  if (email.scheduledAt !== null && email.scheduledAt > email.createdAt) {
    await appendEvent(tx, email.account, email.id, 'scheduled', email.createdAt, { scheduled_at: email.scheduledAt });
  }
}

/** A key outlives the last mail it names by its lifetime: next week's mail must not be forgotten tomorrow. */
function keyExpiresAt(submission: Submission, now: number): number {
  const scheduled = submission.keyFollowsSchedule ? submission.messages.map((one) => one.scheduledAt ?? now) : [];
  return Math.max(now, ...scheduled) + submission.lifetimeMs;
}

async function settledBefore(winner: Promise<void>, giveUpAt: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const expired = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, Math.max(0, giveUpAt - performance.now()));
  });
  await Promise.race([winner, expired]);
  clearTimeout(timer);
}

function busy(): AppError {
  return new AppError('idempotency_busy', 'There is another request in progress with the same idempotency key.', {
    retryAfterSeconds: 1,
  });
}
