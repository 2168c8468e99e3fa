/** Trusts no server: holds what clients were told and what the sink saw against the database that is left. */

import type { DeliveryState } from '../../src/core/event.ts';
import type { Books } from './books.ts';
import type { Asked, Operation } from './load.ts';
import type { Transaction } from './relay.ts';

export type Evidence = {
  operations: Operation[];
  transactions: Transaction[];
  books: Books;
  policy: 'hold' | 'send-again';
  /** Emails that were handed off and without a verdict when a process was killed. */
  interrupted: Set<string>;
};

export type Finding = {
  mails: number;
  /** Copies beyond the first, counted per recipient. */
  duplicates: number;
  lost: number;
  held: number;
  explained: number;
  /** Doubts that were ever recorded: what `send-again` may turn into copies. */
  doubts: number;
  violations: string[];
};

type DeliveryRow = {
  email_id: string;
  part: number;
  state: DeliveryState;
  recipients: string;
  content_hash: Buffer | null;
  gated_at: number | null;
};

type StoredEmail = {
  messageId: string;
  deliveries: DeliveryRow[];
  doubts: number;
  /** How often the policy, or an operator, had it sent again. */
  resends: number;
};

/** What one recipient of one email came to, on both sides. */
type Story = {
  recipient: string;
  /** Undefined where no delivery is for them. */
  state: DeliveryState | undefined;
  seen: Transaction[];
  isInterrupted: boolean;
};

export async function examine(evidence: Evidence): Promise<Finding> {
  const checker = new Checker(evidence, await readStored(evidence.books));
  for (const operation of evidence.operations) checker.checkOperation(operation);
  checker.checkCount();
  return checker.finding;
}

class Checker {
  readonly finding: Finding = { mails: 0, duplicates: 0, lost: 0, held: 0, explained: 0, doubts: 0, violations: [] };
  readonly #evidence: Evidence;
  readonly #stored: Map<string, StoredEmail>;
  readonly #seen: Map<string, Transaction[]>;

  constructor(evidence: Evidence, stored: Map<string, StoredEmail>) {
    this.#evidence = evidence;
    this.#stored = stored;
    this.#seen = transactionsByRecipient(evidence.transactions);
  }

  /** Nothing is stored that nobody asked for: a retry has made no second email. */
  checkCount(): void {
    const asked = this.#evidence.operations.reduce((sum, operation) => sum + operation.asked.length, 0);
    if (this.#stored.size !== asked) this.#violate(`${asked} emails were asked for, ${this.#stored.size} are stored`);
  }

  checkOperation({ key, answer, asked }: Operation): void {
    const ids = idsOf(answer);
    if (ids.length !== asked.length) this.#violate(`${key} was answered ${answer}`);
    for (const [index, one] of asked.entries()) {
      const id = ids[index] ?? '';
      const email = this.#stored.get(id);
      this.finding.mails += 1;
      if (email) this.#checkEmail(id, email, one);
      else this.#lose(`${id} was acknowledged and is not in the database`);
    }
  }

  #checkEmail(id: string, email: StoredEmail, { to, subject }: Asked): void {
    const violate = (text: string) => this.#violate(`${id} ${text}`);
    checkConservation(email, to, violate);
    checkBytes(email, to, subject, this.#seen, violate);
    const stories = to.map((recipient) => this.#storyOf(id, email, recipient));
    for (const story of stories) this.#checkStory(id, story);
    this.#checkCopies(id, email, stories);
    this.#countHeld(id, stories);
  }

  #storyOf(id: string, email: StoredEmail, recipient: string): Story {
    const seen = this.#seen.get(recipient) ?? [];
    return { recipient, state: stateOf(email, recipient), seen, isInterrupted: this.#evidence.interrupted.has(id) };
  }

  #checkStory(id: string, story: Story): void {
    const { policy } = this.#evidence;
    if (isLost(story, policy)) {
      this.#lose(`${id} is ${story.state} for ${story.recipient}, and the sink saw ${told(story)}`);
    }
    if (policy === 'hold') checkDots(story, (text) => this.#violate(`${id}: ${text}`));
  }

  /** A second copy takes a doubt, and somebody who decided. */
  #checkCopies(id: string, { doubts, resends }: StoredEmail, stories: Story[]): void {
    this.finding.doubts += doubts;
    const copies = stories.map(copiesOf);
    this.finding.duplicates += copies.reduce((sum, count) => sum + Math.max(0, count - 1), 0);
    if (Math.max(...copies) > 1 + Math.min(doubts, resends)) {
      this.#violate(`${id} left ${Math.max(...copies)} times: in doubt ${doubts} times, sent again ${resends} times`);
    }
  }

  #countHeld(id: string, stories: Story[]): void {
    if (!stories.some(({ state }) => state === 'in_doubt')) return;
    this.finding.held += 1;
    if (stories.some(isUnclear)) this.finding.explained += 1;
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

async function readStored(books: Books): Promise<Map<string, StoredEmail>> {
  const stored = new Map<string, StoredEmail>();
  for (const row of await books.rows<{ id: string; message_id: string }>('select id, message_id from emails')) {
    stored.set(row.id, { messageId: row.message_id, deliveries: [], doubts: 0, resends: 0 });
  }
  const deliveries = 'select email_id, part, state, recipients, content_hash, gated_at from deliveries';
  for (const row of await books.rows<DeliveryRow>(deliveries)) stored.get(row.email_id)?.deliveries.push(row);
  const events = 'select email_id, type, detail from events';
  for (const row of await books.rows<{ email_id: string; type: string; detail: string }>(events)) {
    const email = stored.get(row.email_id);
    const { in_doubt, by } = JSON.parse(row.detail);
    if (email && in_doubt) email.doubts += 1;
    if (email && by !== undefined && row.type === 'queued') email.resends += 1;
  }
  return stored;
}

/** Each address belongs to one email, whatever the transaction came to. */
function transactionsByRecipient(transactions: Transaction[]): Map<string, Transaction[]> {
  const seen = new Map<string, Transaction[]>();
  for (const one of transactions) {
    for (const recipient of one.asked) seen.set(recipient, [...(seen.get(recipient) ?? []), one]);
  }
  return seen;
}

export function idsOf(answer: string | null): string[] {
  if (answer === null) return [];
  const json = JSON.parse(answer) as { id?: string; data?: { id: string }[] };
  return json.data ? json.data.map((one) => one.id) : [json.id ?? ''];
}

/** Accepted recipients are in one delivery each, in a state that a settled life may have. */
function checkConservation(email: StoredEmail, to: string[], violate: (text: string) => void): void {
  const found = email.deliveries.flatMap((row) => JSON.parse(row.recipients) as string[]);
  if ([...found].sort().join() !== [...to].sort().join()) violate(`was for ${to}, its deliveries are for ${found}`);
  for (const { state } of email.deliveries) {
    if (state === 'queued' || state === 'sending' || state === 'handoff') violate(`is still ${state}`);
  }
}

function stateOf(email: StoredEmail, recipient: string): DeliveryState | undefined {
  return email.deliveries.find((row) => (JSON.parse(row.recipients) as string[]).includes(recipient))?.state;
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
  const hashes = new Set([...dots].map((dot) => dot.sha256));
  if (hashes.size > 1) violate('left with different bytes');
  for (const dot of dots) {
    if (dot.messageId !== email.messageId) violate(`left under ${dot.messageId}`);
    if (dot.subjects.join() !== subject) violate(`left with the subjects ${dot.subjects}`);
  }
  // A recipient may have left the delivery whose gate it passed, deferred by a later attempt: the email is what counts.
  if (dots.size > 0 && email.deliveries.every((row) => row.gated_at === null)) violate('left without a gate');
  for (const { content_hash, recipients } of email.deliveries) {
    const inEnvelope = (one: Transaction, recipient: string) => one.dot !== null && one.to.includes(recipient);
    const hasDot = (JSON.parse(recipients) as string[]).some((to) => seen.get(to)?.some((one) => inEnvelope(one, to)));
    if (hasDot && content_hash && !hashes.has(content_hash.toString('hex')))
      violate('left with other bytes than its gate recorded');
  }
}

function copiesOf({ seen, recipient }: Story): number {
  return seen.filter((one) => one.taken && one.to.includes(recipient)).length;
}

/** Settled states have to be true: sent means taken, bounced means refused. What is in doubt is not lost: it is shown. */
function isLost(story: Story, policy: Evidence['policy']): boolean {
  const { state } = story;
  const wasTaken = copiesOf(story) > 0;
  if (state === 'in_doubt') return false;
  if (state === 'sent' || state === 'delivered') return !wasTaken;
  // A second copy may be refused although the first was taken after all.
  if (state === 'bounced') return (wasTaken && policy === 'hold') || !wasRefused(story);
  return true;
}

function wasRefused({ seen, recipient }: Story): boolean {
  return seen.some((one) => one.refused.includes(recipient) || one.mood.said === 'no');
}

function told({ seen }: Story): string {
  return seen.map((one) => `${one.mood.name}${one.dot ? ' with a dot' : ''}${one.taken ? ', taken' : ''}`).join('; ');
}

/** Under `hold`, a dot follows another only where the relay has said clearly that it did not take it. */
function checkDots({ recipient, seen }: Story, violate: (text: string) => void): void {
  const dots = seen.filter((one) => one.dot && one.to.includes(recipient));
  for (const one of dots.slice(0, -1)) {
    if (one.mood.said !== 'later') violate(`after ${one.mood.name} another dot left for ${recipient}`);
  }
}

function isUnclear({ seen, isInterrupted }: Story): boolean {
  return isInterrupted || seen.some((one) => one.mood.said === 'unclear' || one.mood.name === 'answersLate');
}
