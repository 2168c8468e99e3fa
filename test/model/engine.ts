/** One real engine, driven through the real use cases and store, and its tables as plain values. */

import { limits } from '../../src/config/limits.ts';
import { anyDomain } from '../../src/core/account.ts';
import type { Clock } from '../../src/core/clock.ts';
import { AppError } from '../../src/core/error.ts';
import { Renderer } from '../../src/render/renderer.ts';
import { insertGrant } from '../../src/store/account-domains.ts';
import { ensureAccount } from '../../src/store/accounts.ts';
import type { Database, Transaction } from '../../src/store/database.ts';
import { migrate } from '../../src/store/migrate.ts';
import { insertWebhook, type Webhook } from '../../src/store/webhooks/webhooks.ts';
import { Accepting } from '../../src/use-cases/accept.ts';
import { createAccountRules } from '../../src/use-cases/account-rules.ts';
import { type Amend, createAmend } from '../../src/use-cases/amend.ts';
import { createKeyUses, type KeyUses } from '../../src/use-cases/key-uses.ts';
import { createPurge, type Purge } from '../../src/use-cases/purge.ts';
import { createSettleDoubt, type SettleDoubt } from '../../src/use-cases/settle-doubt.ts';
import type { SendRequest, Submission } from '../../src/use-cases/submission.ts';
import { createSubscribe, type Subscribe } from '../../src/use-cases/subscribe.ts';
import { createSuppress, type Suppress } from '../../src/use-cases/suppress.ts';
import { type Accepted, idOf, webhooksMax } from './model.ts';
import type { ModelWebhook } from './room.ts';
import { lookInto, postgresLook, type Snapshot } from './snapshot.ts';

const renderer = new Renderer(limits);

export const accounts = ['ann', 'bob'] as const;

/** Emptied between two programs: what chores do is about all accounts, so that programs cannot live side by side. */
const tables = [
  'counts',
  'deliveries',
  'emails',
  'events',
  'idempotency_keys',
  'suppressions',
  'notices',
  'webhook_deliveries',
  'webhook_subscriptions',
  'webhooks',
  'deleted_webhooks',
  'workers',
];

export class Engine {
  readonly name: string;
  readonly database: Database;
  readonly amend: Amend;
  readonly doubt: SettleDoubt;
  readonly suppress: Suppress;
  readonly subscribe: Subscribe;
  readonly purge: Purge;
  keyUses: KeyUses;
  #accepting: Accepting;
  readonly #clock: Clock;
  readonly #webhooks = new Map<string, Webhook>();
  #ids = 0;
  #lastEvent = 0;

  constructor(name: string, database: Database, now: () => number) {
    this.name = name;
    this.database = database;
    this.#clock = { now, expiryNow: now };
    this.amend = createAmend(database, this.#clock, () => {});
    this.doubt = createSettleDoubt({ database, now, onSettled: () => {} });
    this.suppress = createSuppress(database, this.#clock);
    this.subscribe = createSubscribe(database, this.#clock, () => {});
    this.purge = createPurge(database, this.#clock);
    this.keyUses = createKeyUses(database);
    this.#accepting = this.#newAccepting();
  }

  #newAccepting(): Accepting {
    const { database, keyUses } = this;
    return new Accepting({
      keyLifetimeMs: null,
      database,
      clock: this.#clock,
      keyUses,
      rules: createAccountRules({ reader: database, cacheMs: 0, firstNeedsGrant: false }),
      renderer,
      nextId: () => idOf(this.#ids++),
      onQueued: () => {},
    });
  }

  async prepare(): Promise<void> {
    await migrate(this.database);
    await this.write(async (tx) => {
      if (this.database.engine === 'postgres') await tx.run(postgresLook);
      for (const account of accounts) {
        await ensureAccount(tx, account, this.#clock.now());
        await insertGrant(tx, { account, domain: anyDomain }, this.#clock.now());
      }
    });
  }

  /** As new. */
  async reset(): Promise<void> {
    await this.write(async (tx) => {
      await Promise.all(tables.map((table) => tx.run(`delete from ${table}`)));
    });
    this.#webhooks.clear();
    this.#ids = 0;
    this.#lastEvent = 0;
    this.keyUses = createKeyUses(this.database);
    this.#accepting = this.#newAccepting();
  }

  write<T>(work: (tx: Transaction) => Promise<T>): Promise<T> {
    return this.database.write(work);
  }

  async accept(request: SendRequest, submission: Submission | null): Promise<Accepted> {
    const turn = await this.#accepting.lookUp(request);
    const refused = () => Promise.reject(new AppError('invalid_field', 'No.'));
    const outcome =
      turn.kind === 'new'
        ? await this.#accepting.commit(turn, submission ? Promise.resolve(submission) : refused())
        : turn;
    if (outcome.kind === 'accepted') return { kind: 'accepted', ...outcome.answer };
    const { status, body } = outcome.record;
    return outcome.kind === 'replay'
      ? { kind: 'replay', status, body }
      : { kind: 'conflict', status, body, fields: outcome.fields };
  }

  /** Its id. Null: there are too many. */
  async makeWebhook({ account, id, url, subjects, perRecipient }: WantedWebhook): Promise<string | null> {
    const events = { names: [], subjects, perRecipient };
    const made = await this.subscribe.make(account, { facade: 'resend', url, events, id });
    if (made) this.#webhooks.set(id, made);
    return made?.id ?? null;
  }

  /** Several in one transaction: the ids that were made. */
  makeWebhooks(account: string, ids: string[]): Promise<(string | null)[]> {
    return this.write(async (tx) => {
      const made: (string | null)[] = [];
      for (const id of ids) {
        const rest = {
          facade: 'resend',
          url: 'u',
          events: [],
          options: {},
          secret: 's',
          subjects: [],
          perRecipient: false,
        };
        const webhook = await insertWebhook(tx, { account, id, ...rest, createdAt: this.#clock.now() }, webhooksMax);
        made.push(webhook?.id ?? null);
      }
      return made;
    });
  }

  /** As it was when it was made, which is all that a request knows of it. */
  webhook(id: string): Webhook {
    const webhook = this.#webhooks.get(id);
    if (!webhook) throw new Error(`no webhook ${id}`);
    return webhook;
  }

  /** The state of everything, and the events since the last look. */
  async look(): Promise<Snapshot> {
    const { snapshot, last } = await lookInto(this.database, this.#lastEvent);
    this.#lastEvent = last;
    return snapshot;
  }
}

type WantedWebhook = Pick<ModelWebhook, 'account' | 'id' | 'url' | 'subjects' | 'perRecipient'>;
