/** What a failover has come to: which mails that were acknowledged the new primary does not know, which left twice, which are held or stuck. */

import { contradictions } from './history.ts';
import { pause } from './load.ts';
import { emailOf, type Operation } from './operation.ts';
import type { Transaction } from './relay.ts';
import type { ClusterFigures } from './row.ts';
import { readStored, type StoredEmail, stateOf } from './stored.ts';
import type { World } from './world.ts';

/** By `performance.now()`: what was answered between the two may be missing, and nothing else. */
export type Window = { from: number; until: number };

export type Reckoning = Omit<ClusterFigures, 'acceptsAgainMs'> & {
  mails: number;
  lost: number;
  /** Copies of one message beyond the first. */
  twice: number;
  held: number;
  violations: string[];
};

/** Where nothing may be missing. */
export const noWindow: Window = { from: 0, until: 0 };

/** How long nothing may come to an end before what is left counts as stuck. */
const standstillMs = 15_000;
/** How long the expired leases may take. */
const leasesMs = 20_000;

/** Resolves with how many are open although nobody works on them. Then their leases run out, and they have to come to an end. */
export async function countStuck(world: World): Promise<number> {
  await world.rest();
  const stuck = await leftOpen(world, standstillMs);
  if (stuck === 0) return 0;
  await world.books.rows("update deliveries set run_at = 0 where state in ('sending', 'handoff')");
  const left = await leftOpen(world, leasesMs);
  if (left > 0) world.load.violations.push(`${left} stay open although their leases have run out`);
  return stuck;
}

/** What waits for its next try is not stuck. */
async function leftOpen(world: World, standMs: number): Promise<number> {
  let last = Number.POSITIVE_INFINITY;
  let giveUpAt = performance.now() + standMs;
  for (;;) {
    const [row] = await world.books.rows<{ open: number }>(`select count(*)::int as open from deliveries
      where state in ('sending', 'handoff') or (state = 'queued' and run_at <= ${world.clock.now()})`);
    const open = row?.open ?? 0;
    if (open === 0 && !world.relay.isThinking) return 0;
    if (open < last) giveUpAt = performance.now() + standMs;
    last = Math.min(last, open);
    if (performance.now() > giveUpAt) return open;
    await pause(100);
  }
}

/** `pointedAt`: what was asked for later than this cannot have left before, and is not to be held. */
export async function reckon(world: World, window: Window, pointedAt = Number.POSITIVE_INFINITY): Promise<Reckoning> {
  const stored = await readStored(world.books);
  const copies = countCopies(world.relay.transactions);
  const sum: Reckoning = { mails: 0, lost: 0, forgotten: 0, twice: 0, held: 0, needless: 0, stuck: 0, violations: [] };
  sum.twice = [...copies.values()].reduce((more, count) => more + count - 1, 0);
  for (const operation of world.load.accepted) {
    for (const [index, id] of (operation.ids ?? []).entries()) {
      const to = operation.asked[index]?.to ?? [];
      sum.mails += 1;
      const email = stored.get(id);
      if (email) judge(sum, { email, to, copies, isNew: operation.begunAt > pointedAt });
      else miss(sum, { id, to, copies, when: outside(window, operation) });
    }
  }
  sum.violations.push(...broken(world.load.violations, stored));
  return sum;
}

type Copies = Map<string, number>;

function judge(sum: Reckoning, one: { email: StoredEmail; to: string[]; copies: Copies; isNew: boolean }): void {
  const { email, to, copies, isNew } = one;
  sum.violations.push(...to.flatMap((recipient) => contradictions(email, recipient)));
  const states = to.map((recipient) => stateOf(email, recipient));
  if (states.includes('in_doubt')) {
    sum.held += 1;
    if (isNew) sum.needless += 1;
  }
  for (const [index, state] of states.entries()) {
    if (state !== 'sent' || copies.has(nameOf(email.id, to[index] ?? ''))) continue;
    sum.lost += 1;
    sum.violations.push(`${email.id} is sent to ${to[index]}, and the sink has not seen it`);
  }
}

function miss(sum: Reckoning, one: { id: string; to: string[]; copies: Copies; when: string | null }): void {
  const { id, to, copies, when } = one;
  if (to.some((recipient) => copies.has(nameOf(id, recipient)))) sum.forgotten += 1;
  else sum.lost += 1;
  if (when) sum.violations.push(`${id} is not in the database, and was acknowledged ${when}`);
}

/** Null: it was answered where it may be lost. */
function outside({ from, until }: Window, { answeredAt, begunAt }: Operation): string | null {
  const at = answeredAt ?? 0;
  const asked = `(asked for ${Math.round(at - begunAt)} ms before)`;
  if (at < from) return `${Math.round(from - at)} ms before anything could be lost ${asked}`;
  return at > until ? `${Math.round(at - until)} ms after anything could be lost ${asked}` : null;
}

/** A key that the database has forgotten is answered anew, or was answered elsewhere: of those nothing more is said here. */
function broken(violations: string[], stored: Map<string, StoredEmail>): string[] {
  const isForgotten = (text: string) => text.match(/[0-9a-f-]{36}/g)?.some((id) => !stored.has(id));
  return violations.filter((text) => !(text.includes(' was answered ') && isForgotten(text)));
}

/** Of each message at each recipient. */
function countCopies(transactions: Transaction[]): Copies {
  const copies: Copies = new Map();
  for (const { taken, dot, to } of transactions) {
    if (!taken || !dot?.messageId) continue;
    for (const recipient of to) {
      const name = nameOf(dot.messageId, recipient);
      copies.set(name, (copies.get(name) ?? 0) + 1);
    }
  }
  return copies;
}

/** A Message-ID begins with the email's id. */
function nameOf(id: string, recipient: string): string {
  return `${emailOf(id)} ${recipient}`;
}

/**
 * The hold was begun before anything was accepted: what was accepted after the ways led to the new primary is newer than all that
 * is to be held. What a living worker had claimed on the old one may pass its gate on the new one meanwhile: it has not left yet.
 */
export function lateNotice(world: World, { until, pointedAt }: { until: string | null; pointedAt: number }): string[] {
  if (until === null) return ['the failover was not noticed'];
  const early = world.load.accepted.filter(({ begunAt, ids }) => begunAt > pointedAt && ids?.some((id) => id <= until));
  return early.length === 0 ? [] : [`${early.length} were accepted before the failover was noticed`];
}

/** The newest email that is to be held, as whoever noticed has written it down; null: nobody has. */
export async function heldUntil(world: World): Promise<string | null> {
  const [row] = await world.books.rows<{ value: string }>(`select value from settings where name = 'went_back'`);
  return row ? (JSON.parse(row.value) as { until: string }).until : null;
}

/** Of all processes: how many cried out. */
export function cries(words: string[]): number {
  return words.reduce((sum, text) => sum + (text.match(/THE DATABASE WENT BACK IN TIME/g)?.length ?? 0), 0);
}
