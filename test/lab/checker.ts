/** Trusts no server: holds what clients were told and what the sink saw against the database that is left. */

import type { DeliveryState } from '../../src/core/event.ts';
import type { Operation } from './load.ts';
import { readRows } from './program.ts';
import type { Transaction } from './relay.ts';

export type Evidence = {
  operations: Operation[];
  transactions: Transaction[];
  databasePath: string;
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

type StoredEmail = { messageId: string; deliveries: DeliveryRow[]; doubts: number };

/** What one recipient of one email came to, on both sides. */
type Story = { id: string; recipient: string; states: DeliveryState[]; seen: Transaction[]; isInterrupted: boolean };

export function examine(evidence: Evidence): Finding {
  const { operations, policy } = evidence;
  const stored = readStored(evidence.databasePath);
  const seen = transactionsByRecipient(evidence.transactions);
  const finding: Finding = { mails: 0, duplicates: 0, lost: 0, held: 0, explained: 0, doubts: 0, violations: [] };
  const violate = (text: string) => void finding.violations.push(text);

  for (const operation of operations) {
    const ids = idsOf(operation.answer);
    if (ids.length !== operation.asked.length) violate(`${operation.key} was answered ${operation.answer}`);
    for (const [index, id] of ids.entries()) {
      const email = stored.get(id);
      finding.mails += 1;
      if (!email) {
        finding.lost += 1;
        violate(`${id} was acknowledged and is not in the database`);
        continue;
      }
      finding.doubts += email.doubts;
      const to = operation.asked[index]?.to ?? [];
      checkConservation(id, email, to, violate);
      checkBytes(id, email, operation.asked[index]?.subject ?? '', seen, to, violate);
      let extra = 0;
      let isHeld = false;
      let isExplained = false;
      for (const recipient of to) {
        const story: Story = {
          id,
          recipient,
          states: statesOf(email, recipient),
          seen: seen.get(recipient) ?? [],
          isInterrupted: evidence.interrupted.has(id),
        };
        extra += copiesOf(story) > 1 ? copiesOf(story) - 1 : 0;
        if (isLost(story, policy)) {
          finding.lost += 1;
          violate(`${id} is ${story.states} for ${recipient}, and the sink saw ${told(story)}`);
        }
        if (policy === 'hold') checkDots(story, violate);
        if (story.states.includes('in_doubt')) isHeld = true;
        if (isUnclear(story)) isExplained = true;
      }
      finding.duplicates += extra;
      if (policy === 'hold' && extra > 0) violate(`${id} left ${extra + 1} times`);
      if (extra > email.doubts * to.length)
        violate(`${id} left ${extra} times more than its ${email.doubts} doubts allow`);
      if (isHeld) finding.held += 1;
      if (isHeld && isExplained) finding.explained += 1;
      if (isHeld && !isExplained) violate(`${id} is in doubt, and no fault explains it`);
    }
  }
  const asked = operations.reduce((sum, { asked }) => sum + asked.length, 0);
  if (stored.size !== asked) violate(`${asked} emails were asked for, ${stored.size} are stored`);
  return finding;
}

function readStored(databasePath: string): Map<string, StoredEmail> {
  const stored = new Map<string, StoredEmail>();
  for (const row of readRows<{ id: string; message_id: string }>(databasePath, 'select id, message_id from emails')) {
    stored.set(row.id, { messageId: row.message_id, deliveries: [], doubts: 0 });
  }
  const deliveries = 'select email_id, part, state, recipients, content_hash, gated_at from deliveries';
  for (const row of readRows<DeliveryRow>(databasePath, deliveries)) stored.get(row.email_id)?.deliveries.push(row);
  const doubts = `select email_id, count(*) as doubts from events where detail like '%"in_doubt":true%' group by email_id`;
  for (const row of readRows<{ email_id: string; doubts: number }>(databasePath, doubts)) {
    const email = stored.get(row.email_id);
    if (email) email.doubts = row.doubts;
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
function checkConservation(id: string, email: StoredEmail, to: string[], violate: (text: string) => void): void {
  const found = email.deliveries.flatMap((row) => JSON.parse(row.recipients) as string[]);
  if ([...found].sort().join() !== [...to].sort().join())
    violate(`${id} was for ${to}, its deliveries are for ${found}`);
  for (const { state } of email.deliveries) {
    if (state === 'queued' || state === 'sending' || state === 'handoff') violate(`${id} is still ${state}`);
  }
}

function statesOf(email: StoredEmail, recipient: string): DeliveryState[] {
  return email.deliveries
    .filter((row) => (JSON.parse(row.recipients) as string[]).includes(recipient))
    .map((row) => row.state);
}

/** One mail, whole, the same on each attempt, and the one whose hash stands at the gate: nothing of another mail is in it. */
function checkBytes(
  id: string,
  email: StoredEmail,
  subject: string,
  seen: Map<string, Transaction[]>,
  to: string[],
  violate: (text: string) => void,
): void {
  const dots = new Set(to.flatMap((recipient) => (seen.get(recipient) ?? []).flatMap((one) => one.dot ?? [])));
  const hashes = new Set([...dots].map((dot) => dot.sha256));
  if (hashes.size > 1) violate(`${id} left with different bytes`);
  for (const dot of dots) {
    if (dot.messageId !== email.messageId) violate(`${id} left under ${dot.messageId}`);
    if (dot.subjects.join() !== subject) violate(`${id} left with the subjects ${dot.subjects}`);
  }
  for (const { content_hash, gated_at, recipients } of email.deliveries) {
    const inEnvelope = (one: Transaction, recipient: string) => one.dot !== null && one.to.includes(recipient);
    const dotted = (JSON.parse(recipients) as string[]).some((to) => seen.get(to)?.some((one) => inEnvelope(one, to)));
    if (dotted && gated_at === null) violate(`${id} left without a gate`);
    const gated = content_hash?.toString('hex');
    if (dotted && gated && !hashes.has(gated)) violate(`${id} left with other bytes than its gate recorded`);
  }
}

function copiesOf({ seen, recipient }: Story): number {
  return seen.filter((one) => one.taken && one.to.includes(recipient)).length;
}

/** Settled states have to be true: sent means taken, bounced means refused. What is in doubt is not lost: it is shown. */
function isLost(story: Story, policy: Evidence['policy']): boolean {
  const [state] = story.states;
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
function checkDots({ id, recipient, seen }: Story, violate: (text: string) => void): void {
  const dots = seen.filter((one) => one.dot && one.to.includes(recipient));
  for (const [index, one] of dots.entries()) {
    if (index < dots.length - 1 && one.mood.said !== 'later')
      violate(`${id}: after ${one.mood.name} another dot left for ${recipient}`);
  }
}

function isUnclear({ seen, isInterrupted }: Story): boolean {
  return isInterrupted || seen.some((one) => one.mood.said === 'unclear' || one.mood.name === 'answersLate');
}
