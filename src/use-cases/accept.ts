/**
 * Stage 1, where retries die: one transaction makes a 2xx true, and a key makes it true once.
 * A door looks its request up; what is new it prepares and commits; what came of either it renders.
 */

import { type Email, emailOf, type Message } from '../core/email.ts';
import { groupRecipients, namedSenders, senderAddress } from '../core/envelope.ts';
import { AppError, Contended } from '../core/error.ts';
import { formerKeyHashes, keyHash } from '../core/token.ts';
import type { Renderer, Rendering } from '../render/renderer.ts';
import { makeTextParts } from '../render/text-parts.ts';
import type { Transaction } from '../store/database.ts';
import type { KeyRecord } from '../store/idempotency.ts';
import { insertAcceptance } from './acceptance.ts';
import type { AccountRules } from './account-rules.ts';
import { isCounted } from './accounts.ts';
import { type Known, KnownKeys, type KnownKeysOptions } from './known-keys.ts';
import {
  fingerprintOf,
  keyExpiresAt,
  type SendRequest,
  type StoredAnswer,
  type Submission,
  scopeOf,
} from './submission.ts';
import { UnderWay } from './under-way.ts';

/** A request nobody has made before: it is this one's turn to be prepared and committed. */
export type Turn = {
  kind: 'new';
  request: SendRequest;
  /** Null where the client named no key. */
  keyHash: Uint8Array | null;
  /** What the write is about: no other request's turn has the same. */
  about: string;
  /** Until then a key that another process holds is waited for. */
  giveUpAt: number;
  /** What this request may have rendered, to be prepared with. */
  rendering: Rendering;
};

/** `keyExpiresAt`: null where the client named no key. */
type Accepted = { kind: 'accepted'; answer: StoredAnswer; keyExpiresAt: number | null };

export type Outcome = Accepted | Known;

export type AcceptOptions = KnownKeysOptions & {
  nextId: (now: number) => string;
  rules: AccountRules;
  renderer: Pick<Renderer, 'open'>;
  /** What an operator wants keys to live at least; null: what each endpoint says. */
  keyLifetimeMs: number | null;
  /** Told after a commit that queued something. */
  onQueued: (emails: number) => void;
};

/** How long a concurrent duplicate waits for the winner's answer before it is told to come back (docs/resend.md: 3 s). */
const waitForWinnerMs = 3_000;

export class Accepting {
  readonly #options: AcceptOptions;
  readonly #known: KnownKeys;
  /** Turns of this process, by what they are about: a duplicate waits for them instead of racing them. */
  readonly #underWay = new UnderWay();
  #unnamed = 0;

  constructor(options: AcceptOptions) {
    this.#options = options;
    this.#known = new KnownKeys(options);
  }

  /**
   * Comes before any validation: a world that changed between two tries must not turn an accepted request into an error.
   * A turn must be committed, whatever comes of its preparation: until then duplicates wait for it.
   * @throws AppError `idempotency_busy` when the winner takes too long; `unavailable`.
   */
  async lookUp(request: SendRequest): Promise<Turn | Known> {
    const giveUpAt = performance.now() + waitForWinnerMs;
    const rendering = this.#options.renderer.open(request.account);
    const turn: Turn = { kind: 'new', request, keyHash: null, about: '', giveUpAt, rendering };
    if (request.key === null) {
      turn.about = this.#newName();
      return turn;
    }
    const scope = scopeOf(request.endpoint);
    const hash = keyHash(scope, request.key);
    const hashes = [hash, ...formerKeyHashes(scope, request.key)];
    turn.keyHash = hash;
    turn.about = `key ${request.account} ${Buffer.from(hash).toString('base64')}`;
    do {
      const known = await this.#known.findFirst(request, hashes, rendering);
      if (known) return known;
      if (this.#underWay.begin(turn.about)) return turn;
      await this.#underWay.ended(turn.about, giveUpAt);
    } while (performance.now() < giveUpAt);
    throw busy();
  }

  /**
   * Commits what was prepared, once. The turn ends with it, also where the preparation fails: no refusal burns a key.
   * @throws AppError whatever the preparation throws; `idempotency_busy` when another process takes too long; `unavailable`.
   */
  async commit(turn: Turn, preparing: Promise<Submission>): Promise<Outcome> {
    try {
      const submission = await preparing;
      await this.#requireSenders(turn.request, submission.messages);
      const texts = await makeTextParts(turn.rendering, submission.messages.map(toRead));
      for (;;) {
        const accepted = await this.#commitUnlessHeld(turn, submission, texts);
        if (accepted) return accepted;
        const known = turn.keyHash && (await this.#known.find(turn.request, turn.keyHash, turn.rendering));
        if (known) return known;
        if (performance.now() >= turn.giveUpAt) throw turn.keyHash ? busy() : held();
      }
    } finally {
      this.#underWay.end(turn.about);
    }
  }

  /** @throws AppError `domain_not_allowed`: for whoever prepares several messages and can do without one. */
  requireSender(request: Asking, message: Sent): Promise<void> {
    return this.#requireSenders(request, [message]);
  }

  async #requireSenders({ account, keyDomain }: Asking, messages: readonly Sent[]): Promise<void> {
    const senders = new Set<string>();
    for (const message of messages) for (const sender of namedSenders(message)) senders.add(sender);
    for (const address of senders) {
      if (keyDomain !== null && !address.toLowerCase().endsWith(`@${keyDomain}`)) throw boundTo(keyDomain, address);
      const asking = this.#options.rules.requireSender(account, address);
      if (asking) await asking;
    }
  }

  /** A name no other turn has: works about different things share a transaction. */
  #newName(): string {
    this.#unnamed += 1;
    return `new ${this.#unnamed}`;
  }

  /** Null also where another process holds the key and has not committed for a while: what came of it shows later. */
  async #commitUnlessHeld(turn: Turn, submission: Submission, texts: TextParts): Promise<Accepted | null> {
    try {
      return await this.#write(turn, submission, texts);
    } catch (error) {
      if (error instanceof Contended) return null;
      throw error;
    }
  }

  /**
   * Null: another request holds the key, and nothing was written.
   * Emails get their names and their time in the breath in which the write is queued, so that one process commits ids in
   * order: the page's index goes by that.
   */
  async #write(turn: Turn, { messages, answer, isBulk, also }: Submission, texts: TextParts): Promise<Accepted | null> {
    if (messages.length === 0) return { kind: 'accepted', answer: answer([]), keyExpiresAt: null };
    const { database, clock, rules, keyLifetimeMs } = this.#options;
    const account = await rules.find(turn.request.account);
    const limits = account && isCounted(account) ? account : null;
    const now = clock.now();
    const emails = messages.map((message, index) => this.#toEmail(message, turn.request, now, texts[index] ?? null));
    const stored = answer(emails);
    const expiresAt = keyExpiresAt(turn.request.endpoint.keyTerms, keyLifetimeMs, emails, now);
    const key = keyRecordOf(turn, emails, stored, { now, expiresAt });
    const acceptance = {
      facade: turn.request.endpoint.facade,
      account: turn.request.account,
      key,
      emails,
      groups: emails.map(groupRecipients),
      limits,
      isBulk: isBulk ?? emails.length > 1,
    };
    // All that an account with limits sends is about its counts.
    const about = limits ? `account ${limits.name}` : turn.about;
    const insert = (tx: Transaction) => insertAcceptance(tx, acceptance, clock.expiryNow());
    const insertAll = async (tx: Transaction) => {
      const outcome = await insert(tx);
      if (outcome === 'accepted') await also?.(tx);
      return outcome;
    };
    const written = await database.write(also ? insertAll : insert, { about });
    if (written instanceof AppError) throw written;
    if (written === 'taken') return null;
    this.#options.onQueued(emails.length);
    return { kind: 'accepted', answer: stored, keyExpiresAt: key && expiresAt };
  }

  #toEmail(message: Message, { account, origin }: SendRequest, now: number, madeText: string | null): Email {
    const { request, traceparent } = origin;
    const id = this.#options.nextId(now);
    const sender = senderAddress(message);
    const domain = sender.slice(sender.lastIndexOf('@') + 1);
    const messageId = message.raw?.messageId ?? `<${id}@${domain}>`;
    return emailOf(message, { account, id, messageId, createdAt: now, madeText, request, traceparent });
  }
}

type TextParts = (string | null)[];
type Sent = Pick<Message, 'from' | 'headers' | 'returnPath'>;

/** Nothing is made for a mail that leaves as it was written. */
function toRead({ html, text, raw }: Message): Pick<Message, 'html' | 'text'> {
  return raw ? { html: null, text: null } : { html, text };
}

type Asking = Pick<SendRequest, 'account' | 'keyDomain'>;

function boundTo(domain: string, sender: string): AppError {
  const said = `This API key may only send from ${domain}.`;
  return new AppError('domain_not_allowed', said, { extra: { sender } });
}

function keyRecordOf(
  { request, keyHash }: Turn,
  emails: Email[],
  stored: StoredAnswer,
  { now, expiresAt }: { now: number; expiresAt: number },
): KeyRecord | null {
  if (!keyHash) return null;
  const { raw, canonical } = fingerprintOf(request);
  return {
    account: request.account,
    keyHash,
    scope: scopeOf(request.endpoint),
    rawHash: raw,
    canonicalHash: canonical,
    status: stored.status,
    body: stored.body,
    emailIds: emails.map((email) => email.id),
    createdAt: now,
    expiresAt,
  };
}

/** What it wants to write is locked by somebody else, for longer than it may be waited for. */
function held(): AppError {
  return new AppError('unavailable', 'The database is held by another program; nothing was accepted. Try again.', {
    retryAfterSeconds: 1,
  });
}

function busy(): AppError {
  return new AppError('idempotency_busy', 'There is another request in progress with the same idempotency key.', {
    retryAfterSeconds: 1,
  });
}
