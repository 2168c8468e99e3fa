/** Trusts no server: holds what clients were told and what the sink saw against the database that is left. */

import type { DeliveryState } from '../../src/core/delivery-state.ts';
import { aloneAfter } from '../../src/core/silence.ts';
import type { Books } from './books.ts';
import type { Deeds } from './deeds.ts';
import { contradictions } from './history.ts';
import type { KeyUse } from './load.ts';
import type { Asked, Operation } from './operation.ts';
import type { Transaction } from './relay.ts';
import { eventsOf, readStored, type StoredEmail, type StoredEvent, stateOf } from './stored.ts';
import { checkKeys, ToldChecker } from './told.ts';

export type Evidence = {
  operations: Operation[];
  transactions: Transaction[];
  books: Books;
  policy: 'hold' | 'send-again';
  /** Emails that were handed off and without a verdict when a process was killed. */
  interrupted: Set<string>;
  /** How many of the processes that were killed had an email in hand, its gate still shut. */
  cutShort: ReadonlyMap<string, number>;
  /** What people asked for; none, where there are none. */
  deeds: Deeds;
  keyUses: KeyUse[];
  /** Of the lab's clock. */
  speed: number;
};

export type Finding = {
  mails: number;
  /** Copies beyond the first that no operator had sent, counted per recipient. */
  duplicates: number;
  lost: number;
  held: number;
  explained: number;
  /** Held for having been in the hands of three processes that were killed, and for nothing else. */
  worn: number;
  /** Doubts that were ever recorded: what `send-again` may turn into copies. */
  doubts: number;
  violations: string[];
};

/** What one recipient of one email came to, on both sides. */
type Story = {
  recipient: string;
  /** Undefined where no delivery is for them. */
  state: DeliveryState | undefined;
  events: StoredEvent[];
  seen: Transaction[];
  isInterrupted: boolean;
};

export async function examine(evidence: Evidence): Promise<Finding> {
  const checker = new Checker(evidence, await readStored(evidence.books));
  for (const operation of evidence.operations) checker.checkOperation(operation);
  checker.checkWhole();
  return checker.finding;
}

class Checker {
  readonly finding: Finding = {
    mails: 0,
    duplicates: 0,
    lost: 0,
    held: 0,
    explained: 0,
    worn: 0,
    doubts: 0,
    violations: [],
  };
  readonly #evidence: Evidence;
  readonly #stored: Map<string, StoredEmail>;
  readonly #seen: Map<string, Transaction[]>;
  readonly #told: ToldChecker;

  constructor(evidence: Evidence, stored: Map<string, StoredEmail>) {
    this.#evidence = evidence;
    this.#stored = stored;
    this.#seen = transactionsByRecipient(evidence.transactions);
    this.#told = new ToldChecker(evidence.deeds, evidence.speed);
  }

  /** Nothing is stored that nobody asked for: a retry has made no second email. */
  checkWhole(): void {
    const asked = this.#evidence.operations.reduce((sum, operation) => sum + operation.asked.length, 0);
    if (this.#stored.size !== asked) this.#violate(`${asked} emails were asked for, ${this.#stored.size} are stored`);
    for (const what of this.#told.checkBatches(this.#stored)) this.#violate(what);
    for (const what of checkKeys(this.#evidence.deeds, this.#evidence.keyUses)) this.#violate(what);
  }

  checkOperation(operation: Operation): void {
    const { key, answer, asked } = operation;
    const ids = operation.ids ?? [];
    if (ids.length !== asked.length) this.#violate(`${key} was answered ${answer}`);
    for (const [index, one] of asked.entries()) {
      const id = ids[index] ?? '';
      const email = this.#stored.get(id);
      this.finding.mails += 1;
      if (email) this.#checkEmail(operation, email, one);
      else this.#lose(`${id} was acknowledged and is not in the database`);
    }
  }

  #checkEmail(operation: Operation, email: StoredEmail, asked: Asked): void {
    const { id } = email;
    const { to, subject } = asked;
    const violate = (text: string) => this.#violate(`${id} ${text}`);
    checkConservation(email, to, violate);
    checkBytes(email, to, subject, this.#seen, violate);
    for (const what of to.flatMap((recipient) => contradictions(email, recipient))) violate(what);
    const seen = (recipient: string) => this.#seen.get(recipient) ?? [];
    for (const what of this.#told.check({ operation, asked, email, seen })) this.#violate(what);
    const stories = to.map((recipient) => this.#storyOf(id, email, recipient));
    for (const story of stories) this.#checkStory(id, story);
    this.#checkCopies(email, stories);
    this.#countHeld(id, stories);
  }

  #storyOf(id: string, email: StoredEmail, recipient: string): Story {
    const seen = this.#seen.get(recipient) ?? [];
    const isInterrupted = this.#evidence.interrupted.has(id);
    return { recipient, state: stateOf(email, recipient), events: eventsOf(email, recipient), seen, isInterrupted };
  }

  #checkStory(id: string, story: Story): void {
    const { policy } = this.#evidence;
    if (isLost(story, policy)) {
      this.#lose(`${id} is ${story.state} for ${story.recipient}, and the sink saw ${told(story)}`);
    }
    if (policy === 'hold') checkDots(story, (text) => this.#violate(`${id}: ${text}`));
  }

  /** A second copy takes a doubt, and somebody who decided. */
  #checkCopies({ id, events }: StoredEmail, stories: Story[]): void {
    const doubts = events.filter(({ isInDoubt }) => isInDoubt).length;
    const resends = events.filter(isResend).length;
    this.finding.doubts += doubts;
    for (const story of stories) {
      const wanted = 1 + story.events.filter((event) => isResend(event) && event.by === 'operator').length;
      this.finding.duplicates += Math.max(0, copiesOf(story) - wanted);
    }
    const most = Math.max(...stories.map(copiesOf));
    if (most > 1 + Math.min(doubts, resends)) {
      this.#violate(`${id} left ${most} times: in doubt ${doubts} times, sent again ${resends} times`);
    }
  }

  #countHeld(id: string, stories: Story[]): void {
    if (!stories.some(({ state }) => state === 'in_doubt')) return;
    this.finding.held += 1;
    const isHandedOff = stories.some(isUnclear);
    const isWorn = !isHandedOff && (this.#evidence.cutShort.get(id) ?? 0) > aloneAfter;
    if (isWorn) this.finding.worn += 1;
    if (isWorn || isHandedOff) this.finding.explained += 1;
    else this.#violate(`${id} is in doubt, and no fault explains it`);
  }

  #lose(text: string): void {
    this.finding.lost += 1;
    this.#violate(text);
  }

  #violate(text: string): void {
    this.finding.violations.push(text);
  }
}

/** Each address belongs to one email, whatever the transaction came to. */
function transactionsByRecipient(transactions: Transaction[]): Map<string, Transaction[]> {
  const seen = new Map<string, Transaction[]>();
  for (const one of transactions) {
    for (const recipient of one.asked) seen.set(recipient, [...(seen.get(recipient) ?? []), one]);
  }
  return seen;
}

/** Sent again by the policy, or by an operator. */
function isResend({ type, by }: StoredEvent): boolean {
  return type === 'queued' && by !== null;
}

/** Accepted recipients are in one delivery each, in a state that a settled life may have. */
function checkConservation(email: StoredEmail, to: string[], violate: (text: string) => void): void {
  const found = email.deliveries.flatMap(({ recipients }) => recipients);
  if ([...found].sort().join() !== [...to].sort().join()) violate(`was for ${to}, its deliveries are for ${found}`);
  for (const { state } of email.deliveries) {
    if (state === 'queued' || state === 'sending' || state === 'handoff') violate(`is still ${state}`);
  }
}

/** One mail, whole, the same on each attempt, and the one whose hash stands at the gate: nothing of another mail is in it. */
function checkBytes(
  email: StoredEmail,
  to: string[],
  subject: string,
  seen: Map<string, Transaction[]>,
  violate: (text: string) => void,
): void {
  const dots = new Set(to.flatMap((recipient) => (seen.get(recipient) ?? []).flatMap((one) => one.dot ?? [])));
  const hashes = new Set([...dots].flatMap((dot) => dot.sha256 ?? []));
  if (hashes.size > 1) violate('left with different bytes');
  for (const dot of dots) {
    if (dot.messageId !== null && dot.messageId !== email.messageId) violate(`left under ${dot.messageId}`);
    if (dot.subjects.join() !== subject) violate(`left with the subjects ${dot.subjects}`);
  }
  // A recipient may have left the delivery whose gate it passed, deferred by a later attempt: the email is what counts.
  if (dots.size > 0 && email.deliveries.every((row) => row.gated_at === null)) violate('left without a gate');
  for (const { content_hash, recipients } of email.deliveries) {
    const inEnvelope = (one: Transaction, recipient: string) => one.dot?.sha256 != null && one.to.includes(recipient);
    const hasDot = recipients.some((to) => seen.get(to)?.some((one) => inEnvelope(one, to)));
    if (hasDot && content_hash && !hashes.has(content_hash.toString('hex')))
      violate('left with other bytes than its gate recorded');
  }
}

function copiesOf({ seen, recipient }: Story): number {
  return seen.filter((one) => one.taken && one.to.includes(recipient)).length;
}

/**
 * Settled states have to be true: sent means taken, bounced means refused, unless an operator said so. What is in doubt is not
 * lost: it is shown. What people made of it is theirs, and is held against what they asked for.
 */
function isLost(story: Story, policy: Evidence['policy']): boolean {
  const { state, events } = story;
  const wasTaken = copiesOf(story) > 0;
  const isDecided = events.at(-1)?.by === 'operator';
  switch (state) {
    case 'in_doubt':
    case 'suppressed':
    case 'canceled':
      return false;
    case 'sent':
    case 'delivered':
      return !wasTaken && !isDecided;
    case 'bounced':
      // A second copy may be refused although the first was taken after all.
      return (wasTaken && policy === 'hold' && !events.some(isResend)) || !wasRefused(story);
    case 'failed':
      return !isDecided;
    default:
      return true;
  }
}

function wasRefused({ seen, recipient }: Story): boolean {
  return seen.some((one) => one.refused.includes(recipient) || one.mood.said === 'no');
}

function told({ seen }: Story): string {
  return seen.map((one) => `${one.mood.name}${one.dot ? ' with a dot' : ''}${one.taken ? ', taken' : ''}`).join('; ');
}

/** Under `hold`, a dot follows another only where the relay has said clearly that it did not take it, or an operator wants it. */
function checkDots({ recipient, seen, events }: Story, violate: (text: string) => void): void {
  const dots = seen.filter((one) => one.dot && one.to.includes(recipient));
  for (const [index, { mood, relay }] of dots.slice(0, -1).entries()) {
    const next = dots[index + 1]?.relay;
    if (mood.said !== 'later' && next !== relay) violate(`after ${mood.name} at ${relay} another dot left at ${next}`);
  }
  const followed = dots.slice(0, -1).filter(({ mood }) => mood.said !== 'later');
  if (followed.length <= events.filter(isResend).length) return;
  for (const { mood } of followed) violate(`after ${mood.name} another dot left for ${recipient}`);
}

function isUnclear({ seen, isInterrupted }: Story): boolean {
  return isInterrupted || seen.some((one) => one.mood.said === 'unclear' || one.mood.name === 'answersLate');
}
