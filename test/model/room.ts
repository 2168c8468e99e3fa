/** The specification of the room: deliveries and what is told of them, in memory. Edges come from the table, the rest is said here. */

import { type EdgeName, edges } from '../../src/core/delivery.ts';
import type { Edge } from '../../src/core/delivery-state.ts';
import type { Message } from '../../src/core/email.ts';
import { type FactType, type Subject, subjectsOf } from '../../src/core/event.ts';
import type { NoticeKind } from '../../src/core/notice.ts';
import type { Said, Words } from '../../src/core/reply.ts';
import { expiresAt } from '../../src/core/retry.ts';
import { isMailboxGone, type SuppressionOrigin, suppressionKey } from '../../src/core/suppression.ts';
import type { Delivery, InDoubtPolicy } from '../../src/store/mail/deliveries.ts';
import { type DeliveryRow, take } from '../support/delivery-row.ts';
import type { Coverage } from './coverage.ts';

export type ModelDelivery = {
  account: string;
  emailId: string;
  part: number;
  row: DeliveryRow;
  /** The row as it was before each move: what somebody may have read. */
  past: DeliveryRow[];
  runAt: number;
  giveUpAt: number;
  gatedAt: number | null;
  worker: string | null;
  recipients: string[];
  policy: InDoubtPolicy | null;
  reply: string | null;
  contentHash: Uint8Array | null;
  relay: string | null;
  waitsFor: string | null;
  isBulk: boolean;
};

export type ModelEmail = {
  account: string;
  id: string;
  message: Message;
  createdAt: number;
  scheduledAt: number | null;
  /** The name of the key it was accepted under. */
  key: string | null;
  isPurged: boolean;
  forgotten: string[] | null;
};

export type ModelKey = {
  account: string;
  scope: string;
  status: number;
  body: string;
  /** What was asked for, as one text. */
  request: string;
  emailIds: string[];
  createdAt: number;
  expiresAt: number;
  replays: number;
  conflicts: number;
};

export type ModelSuppression = {
  account: string;
  address: string;
  origin: SuppressionOrigin;
  sourceId: string | null;
  reply: string | null;
  createdAt: number;
};

export type ModelWebhook = {
  account: string;
  id: string;
  url: string;
  enabled: boolean;
  isDeleted: boolean;
  modifiedAt: number;
  subjects: Subject[];
  perRecipient: boolean;
};

/** What was told of a recipient; `part` is the one that was named. */
export type ModelNotice = { account: string; emailId: string; part: number; recipient: string; kind: NoticeKind };

export type Detail = {
  recipients?: string[];
  reply?: string;
  said?: Said | null;
  replies?: string[];
  each?: (Said | null)[];
  attempt?: number;
  relay?: string;
  in_doubt?: boolean;
  by?: string;
  scheduled_at?: number;
  was?: 'sent' | 'delivered';
  origin?: SuppressionOrigin;
};

/** `about`: the email, or the suppressed address. */
export type ModelEvent = {
  account: string;
  about: string;
  type: FactType;
  at: number;
  detail: Detail;
  told: Telling[];
};
export type Telling = { webhook: string; position: number; state: 'pending' | 'failed'; runAt: number };

export type Place = { account: string; emailId: string; part?: number };

export type Terms = {
  runAt?: number;
  reply?: Words;
  recipients?: string[];
  worker?: string;
  gatedAt?: number;
  contentHash?: Uint8Array;
  giveUpAt?: number;
  heldUntil?: number;
  heldAgain?: number;
  tried?: { relay: string | null };
  waitsFor?: string | null;
  /** What the mover knows by the edge's fence. */
  fence?: number;
  detail?: Detail;
};

const ofRelays: readonly FactType[] = ['sent', 'delivered', 'bounced', 'delivery_delayed'];

export class Room {
  now: number;
  readonly coverage: Coverage;
  deliveries: ModelDelivery[] = [];
  emails: ModelEmail[] = [];
  keys = new Map<string, ModelKey>();
  events: ModelEvent[] = [];
  suppressions: ModelSuppression[] = [];
  webhooks: ModelWebhook[] = [];
  workers = new Map<string, number>();
  notices: ModelNotice[] = [];

  constructor(now: number, coverage: Coverage) {
    this.now = now;
    this.coverage = coverage;
  }

  /** A work that throws is undone. */
  undoneIfThrown<T>(work: () => T): T {
    const { deliveries, emails, keys, events, suppressions } = this;
    const before = structuredClone({ deliveries, emails, keys, events, suppressions });
    try {
      return work();
    } catch (error) {
      Object.assign(this, before);
      throw error;
    }
  }

  partsOf({ account, emailId, part }: Place): ModelDelivery[] {
    return this.deliveries.filter(
      (one) => one.account === account && one.emailId === emailId && (part === undefined || one.part === part),
    );
  }

  /** Null: nobody moved it, and nothing was written. */
  move(name: EdgeName, place: Place, terms: Terms): ModelDelivery[] | null {
    const edge: Edge = edges[name];
    const moved: ModelDelivery[] = [];
    let told: readonly FactType[] = [];
    for (const one of this.partsOf(place)) {
      const fence = terms.fence ?? -1;
      const taken = take(edge, one.row, { ...one.row, attempt: fence, handoffAttempt: fence });
      if (!taken) continue;
      one.past.push(one.row);
      one.row = taken.row;
      this.#set(one, edge, terms);
      moved.push(one);
      told = taken.events;
    }
    this.coverage.edge(name, moved.length > 0);
    if (moved.length === 0) return null;
    const relay = moved[0]?.relay;
    for (const type of told) {
      const by = relay && ofRelays.includes(type) ? { relay } : {};
      this.tell(place.account, place.emailId, type, { ...by, ...detailOf(edge, moved, terms) });
    }
    return moved;
  }

  #set(one: ModelDelivery, { to, sets }: Edge, terms: Terms): void {
    if (to !== 'sending' && to !== 'handoff') one.worker = null;
    if (!sets.includes('waits_for')) one.waitsFor = null;
    for (const column of sets) {
      if (column === 'run_at') one.runAt = terms.runAt ?? Number.NaN;
      if (column === 'reply') one.reply = terms.reply?.text ?? null;
      if (column === 'recipients') one.recipients = terms.recipients ?? [];
      if (column === 'worker') one.worker = terms.worker ?? null;
      if (column === 'gated_at') one.gatedAt = terms.gatedAt ?? null;
      if (column === 'content_hash') one.contentHash = terms.contentHash ?? null;
      if (column === 'tried') one.relay = terms.tried?.relay ?? null;
      if (column === 'waits_for') one.waitsFor = terms.waitsFor ?? null;
      if (column === 'give_up_at') one.giveUpAt = terms.giveUpAt ?? Number.NaN;
      if (column === 'held_again') {
        const since = one.gatedAt ?? Number.POSITIVE_INFINITY;
        one.giveUpAt -= Math.max(0, (terms.heldAgain ?? Number.NaN) - since);
      }
      // The time in doubt is given back; what had never passed a gate has its three days anew.
      if (column === 'held_until') {
        const until = terms.heldUntil ?? Number.NaN;
        one.giveUpAt = one.gatedAt === null ? expiresAt(until, null) : one.giveUpAt + Math.max(0, until - one.gatedAt);
      }
    }
  }

  insert(
    delivery: Omit<
      ModelDelivery,
      'row' | 'past' | 'gatedAt' | 'worker' | 'contentHash' | 'part' | 'relay' | 'waitsFor' | 'isBulk'
    > & {
      state: DeliveryRow['state'];
      tries?: number;
      relay?: string | null;
      isBulk?: boolean;
    },
  ): void {
    const others = this.partsOf(delivery);
    const { state, tries = 0, relay = null, isBulk = others.some((one) => one.isBulk), ...given } = delivery;
    const fresh = {
      ...{ attempt: 0, handoffAttempt: null, failures: 0, unanswered: 0, possibleDuplicate: 0 },
      ...{ wordless: 0, alone: 0 },
    };
    this.deliveries.push({
      ...given,
      part: this.partsOf(given).length,
      row: { ...fresh, state, tries },
      past: [],
      gatedAt: null,
      worker: null,
      contentHash: null,
      relay,
      isBulk,
      waitsFor: null,
    });
  }

  /** What a worker is given of what it claims. */
  claimed(one: ModelDelivery): Delivery {
    const { account, emailId, part, recipients, giveUpAt, policy, row } = one;
    const { attempt, tries, failures, wordless } = row;
    const isOpen = row.unanswered > 0 || row.possibleDuplicate > 0;
    const bound = { boundTo: isOpen ? one.contentHash : null, boundRelay: isOpen ? one.relay : null };
    const possibleDuplicate = row.possibleDuplicate > 0;
    return {
      account,
      emailId,
      part,
      attempt,
      tries,
      failures,
      wordless,
      recipients,
      giveUpAt,
      policy,
      possibleDuplicate,
      ...bound,
      failedAt: failures > 0 ? one.relay : null,
      never: [],
      heading: null,
    };
  }

  tell(account: string, about: string, type: FactType, detail: Detail, at = this.now): void {
    this.events.push({ account, about, type, at, detail, told: this.#tellings(account, type, detail, at) });
    if (type === 'bounced') this.#learn(account, about, detail, at);
  }

  #tellings(account: string, type: FactType, { said = null, recipients = [] }: Detail, at: number): Telling[] {
    const subjects = subjectsOf(type, said);
    return this.webhooks
      .filter(
        (one) =>
          one.account === account && !one.isDeleted && one.subjects.some((subject) => subjects.includes(subject)),
      )
      .flatMap(({ id, enabled, perRecipient }) => {
        const times = perRecipient ? Math.max(recipients.length, 1) : 1;
        this.coverage.answered('tell', times > 1 ? 'each recipient' : enabled ? 'enabled' : 'disabled');
        const state = enabled ? ('pending' as const) : ('failed' as const);
        return Array.from({ length: times }, (_, position) => ({ webhook: id, position, state, runAt: at }));
      });
  }

  /** Only who was answered alone is known to be gone. */
  #learn(account: string, sourceId: string, detail: Detail, createdAt: number): void {
    const { recipients = [], reply = '', said = null } = detail;
    const { each = [said], replies = [reply] } = detail;
    if (each.length !== recipients.length) return;
    for (const [index, one] of each.entries()) {
      if (!one || one.simulated || !isMailboxGone(one)) continue;
      const address = recipients[index] ?? '';
      const made = this.suppress({
        account,
        address,
        origin: 'bounce',
        sourceId,
        reply: replies[index] ?? '',
        createdAt,
      });
      this.coverage.answered('learn of bounces', made ? 'made' : 'known');
    }
  }

  originOf(account: string, address: string): SuppressionOrigin | null {
    const key = suppressionKey(address);
    return this.suppressions.find((one) => one.account === account && one.address === key)?.origin ?? null;
  }

  /** False: what was known first stays. */
  suppress(wanted: ModelSuppression): boolean {
    const address = suppressionKey(wanted.address);
    if (this.originOf(wanted.account, address)) return false;
    this.suppressions.push({ ...wanted, address });
    this.tell(wanted.account, address, 'suppression_added', {}, wanted.createdAt);
    return true;
  }

  unsuppress(account: string, which: (one: ModelSuppression) => boolean): ModelSuppression[] {
    const removed = this.suppressions.filter((one) => one.account === account && which(one));
    this.suppressions = this.suppressions.filter((one) => !removed.includes(one));
    for (const { address } of removed) this.tell(account, address, 'suppression_removed', {});
    return removed;
  }
}

function detailOf(edge: Edge, moved: ModelDelivery[], { reply, fence, detail }: Terms): Detail {
  const about: Detail =
    detail?.scheduled_at === undefined ? { recipients: moved.flatMap((one) => one.recipients) } : {};
  if (reply) Object.assign(about, { reply: reply.text, said: reply.said });
  if (edge.by) about.by = edge.by;
  else if (edge.fence !== 'state') about.attempt = fence ?? -1;
  if (edge.to === 'in_doubt') about.in_doubt = true;
  return { ...about, ...detail };
}
