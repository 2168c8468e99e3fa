/** Judges what the books say of mails that notices came back about: each counted once, none invented, doubts settled, all recipients there. */

import type { Received } from '../support/smtp-sink.ts';
import type { Books } from './books.ts';
import type { Told } from './bouncer.ts';
import { readStored, type StoredEmail, stateOf } from './stored.ts';

export type Accepted = { id: string; subject: string; to: string[] };

export type NoticedEvidence = {
  accepted: readonly Accepted[];
  taken: readonly Received[];
  brought: ReadonlyMap<string, ReadonlySet<Told>>;
  books: Books;
  /** Ids of mails that were handed off when somebody was killed, and subjects of those that the relay never answered. */
  doubtful: ReadonlySet<string>;
};

export type NoticedFinding = {
  duplicates: number;
  lost: number;
  held: number;
  explained: number;
  /** Notices that counted, each recipient and end once; and mails whose doubt they settled. */
  counted: number;
  settled: number;
  violations: string[];
};

const eventOf: Readonly<Record<Told, string>> = {
  failed: 'bounced',
  delivered: 'delivered',
  delayed: 'delivery_delayed',
  complained: 'complained',
};

export async function judgeNoticed({
  accepted,
  taken,
  brought,
  books,
  doubtful,
}: NoticedEvidence): Promise<NoticedFinding> {
  const stored = await readStored(books);
  const finding: NoticedFinding = {
    duplicates: 0,
    lost: 0,
    held: 0,
    explained: 0,
    counted: 0,
    settled: 0,
    violations: [],
  };
  const copies = new Map<string, number>();
  for (const { bytes } of taken) {
    const subject = subjectIn(bytes);
    copies.set(subject, (copies.get(subject) ?? 0) + 1);
  }
  if (stored.size !== accepted.length)
    finding.violations.push(`${accepted.length} emails were accepted, ${stored.size} are stored`);
  for (const one of accepted) {
    const email = stored.get(one.id);
    if (email) judgeEmail({ one, email, copies: copies.get(one.subject) ?? 0, brought, doubtful }, finding);
    else lose(finding, `${one.id} was acknowledged and is not in the database`);
  }
  finding.violations.push(...(await wrongSuppressions(books, brought)));
  return finding;
}

type Judged = Pick<NoticedEvidence, 'brought' | 'doubtful'> & { one: Accepted; email: StoredEmail; copies: number };

function judgeEmail({ one, email, copies, brought, doubtful }: Judged, finding: NoticedFinding): void {
  const { id, to } = one;
  finding.duplicates += Math.max(0, copies - 1);
  if (copies > 1) finding.violations.push(`${id} left ${copies} times`);
  const found = email.deliveries.flatMap(({ recipients }) => recipients);
  if (found.sort().join() !== [...to].sort().join())
    finding.violations.push(`${id} was for ${to}, its deliveries are for ${found}`);
  const isShown = to.some((recipient) => (brought.get(recipient)?.size ?? 0) > 0);
  if (isShown && email.events.some(({ isInDoubt }) => isInDoubt)) finding.settled += 1;
  if (email.deliveries.some(({ state }) => state === 'in_doubt')) {
    finding.held += 1;
    if (doubtful.has(id) || doubtful.has(one.subject)) finding.explained += 1;
    else finding.violations.push(`${id} is in doubt, and no fault explains it`);
  }
  for (const recipient of to) {
    const kinds = brought.get(recipient) ?? new Set<Told>();
    const wanted = endsFor(kinds, { isShown, copies });
    const state = stateOf(email, recipient) ?? 'nowhere';
    if (!wanted.includes(state)) lose(finding, `${id} is ${state} for ${recipient}, and should be ${wanted}`);
    finding.counted += countEvents(one, email, recipient, kinds, finding);
  }
}

export function subjectIn(mail: Buffer): string {
  return /^subject: (.*)$/im.exec(mail.toString('latin1'))?.[1]?.trim() ?? '';
}

/** A bounce is the last word, whatever came before or after it. */
function endsFor(kinds: ReadonlySet<Told>, { isShown, copies }: { isShown: boolean; copies: number }): string[] {
  if (kinds.has('failed')) return ['bounced'];
  if (kinds.has('delivered')) return ['delivered'];
  if (isShown) return ['sent'];
  return copies > 0 ? ['sent', 'in_doubt'] : ['in_doubt'];
}

function countEvents(
  { id, to }: Accepted,
  { events }: StoredEmail,
  recipient: string,
  kinds: ReadonlySet<Told>,
  finding: NoticedFinding,
): number {
  let counted = 0;
  for (const [kind, type] of Object.entries(eventOf) as [Told, string][]) {
    const times = events.filter(
      (one) => one.type === type && one.by === 'notice' && (one.recipients ?? to).includes(recipient),
    ).length;
    // What was held is told as a delay, too. Behind a bounce a success or a delay is no news, and a delay is none behind a success.
    const mayBeOld = (kind === 'delivered' && kinds.has('failed')) || (kind === 'delayed' && kinds.size > 1);
    const least = kinds.has(kind) && !mayBeOld ? 1 : 0;
    const most = kinds.has(kind) ? 1 : 0;
    counted += times;
    if (times < least) finding.violations.push(`${id}: ${type} came back for ${recipient} and was not counted`);
    if (times > most)
      finding.violations.push(`${id}: ${type} was counted ${times} times for ${recipient}, not ${most}`);
  }
  return counted;
}

async function wrongSuppressions(books: Books, brought: NoticedEvidence['brought']): Promise<string[]> {
  const rows = await books.rows<{ address: string }>('select address from suppressions');
  const suppressed = new Set(rows.map(({ address }) => address));
  const wanted = [...brought].filter(([, kinds]) => kinds.has('failed') || kinds.has('complained')).map(([one]) => one);
  const missing = wanted.filter((one) => !suppressed.has(one)).map((one) => `${one} is not suppressed`);
  const invented = [...suppressed].filter((one) => !wanted.includes(one));
  return [...missing, ...invented.map((one) => `${one} is suppressed, and nothing came back about it`)];
}

function lose(finding: NoticedFinding, text: string): void {
  finding.lost += 1;
  finding.violations.push(text);
}
