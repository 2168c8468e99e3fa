/** What is known of a key that was used before: the same request again, or another one, and in what it differs. */

import type { Clock } from '../core/clock.ts';
import { AppError } from '../core/error.ts';
import { sameRequest } from '../core/fingerprint.ts';
import type { Rendering } from '../render/renderer.ts';
import { readConfirmed } from '../store/confirm-read.ts';
import type { Database, Reader } from '../store/database.ts';
import { findKey, isUnused, type KeyRecord, type KeyUse } from '../store/idempotency.ts';
import { type EmailToCompare, findEmailToCompare } from '../store/mail/email-to-compare.ts';
import type { KeyUses } from './key-uses.ts';
import { fingerprintOf, type SendRequest } from './submission.ts';

/** The key was used before. */
export type Known =
  /** For the same request. */
  | { kind: 'replay'; record: KeyRecord }
  /** For another request; `fields` names what differs, null where that cannot be told. */
  | { kind: 'conflict'; record: KeyRecord; fields: string[] | null };

export type KnownKeysOptions = { database: Database; clock: Clock; keyUses: KeyUses };

export class KnownKeys {
  readonly #options: KnownKeysOptions;

  constructor(options: KnownKeysOptions) {
    this.#options = options;
  }

  /** Under the first of these hashes that is known. */
  async findFirst(request: SendRequest, hashes: Uint8Array[], rendering: Rendering): Promise<Known | null> {
    for (const hash of hashes) {
      if (isUnused(this.#options.database, request.account, hash)) continue;
      const known = await this.find(request, hash, rendering);
      if (known) return known;
    }
    return null;
  }

  /** Null: nobody holds it now. @throws AppError `unavailable` */
  async find(request: SendRequest, hash: Uint8Array, rendering: Rendering): Promise<Known | null> {
    const lives = (one: KeyRecord | null): one is KeyRecord =>
      one !== null && one.expiresAt > this.#options.clock.expiryNow();
    // A replay is an acknowledgement like the first one.
    const find = (reader: Reader) => findKey(reader, request.account, hash);
    const record = await readConfirmed(this.#options.database, lives, find);
    if (!lives(record)) return null;
    const at = this.#options.clock.now();
    if (sameRequest(fingerprintOf(request), { raw: record.rawHash, canonical: record.canonicalHash })) {
      this.#options.keyUses.add(record, useOf(request, at, 'replay', []));
      return { kind: 'replay', record };
    }
    const fields = await this.#explain(request, record, rendering);
    this.#options.keyUses.add(record, useOf(request, at, 'conflict', fields ?? []));
    return { kind: 'conflict', record, fields };
  }

  /** Comparing is a courtesy: a new request that is not even valid, or an old one that was purged, is still a conflict. */
  async #explain(request: SendRequest, record: KeyRecord, rendering: Rendering): Promise<string[] | null> {
    const { differences } = request.endpoint;
    if (differences === null) return null;
    const stored: EmailToCompare[] = [];
    for (const id of record.emailIds) {
      const email = await findEmailToCompare(this.#options.database, record.account, id);
      if (!email) return null;
      stored.push(email);
    }
    try {
      return await differences(stored, request, { now: this.#options.clock.now(), rendering });
    } catch (error) {
      if (error instanceof AppError) return null;
      throw error;
    }
  }
}

function useOf({ client, attempt }: SendRequest, at: number, kind: KeyUse['kind'], fields: string[]): KeyUse {
  return attempt === null ? { at, client, kind, fields } : { at, client, attempt, kind, fields };
}
