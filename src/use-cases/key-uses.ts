/** Replays and conflicts of keys, counted in memory and written once a second: a replay costs a read, not a write. */

import type { Database } from '../store/database.ts';
import { type KeyRecord, type KeyUse, recordUses } from '../store/idempotency.ts';
import { addFigures, hourMs } from '../store/page/rollups.ts';

type Counted = { account: string; keyHash: Uint8Array; replays: number; conflicts: number; uses: KeyUse[] };

/** Kept per key between two writes; the store keeps as many. */
const usesKept = 20;

/** One write carries at most this many keys, some 60 µs each, so that it does not hold accepts up. */
const keysPerWrite = 25;

export type KeyUses = {
  add(record: Pick<KeyRecord, 'account' | 'keyHash'>, use: KeyUse): void;
  /** Writes what was counted since the last call; a crash or a full disk may lose counts, never keys. */
  flush(): Promise<void>;
};

/** `onUse` is told each use as it happens, for metrics. */
export function createKeyUses(database: Database, onUse: (kind: KeyUse['kind']) => void = () => {}): KeyUses {
  let counted = new Map<string, Counted>();

  function add(record: Pick<KeyRecord, 'account' | 'keyHash'>, use: KeyUse): void {
    onUse(use.kind);
    const slot = `${record.account} ${Buffer.from(record.keyHash).toString('base64')}`;
    const one = counted.get(slot) ?? {
      account: record.account,
      keyHash: record.keyHash,
      replays: 0,
      conflicts: 0,
      uses: [],
    };
    if (use.kind === 'replay') one.replays += 1;
    else one.conflicts += 1;
    one.uses.push(use);
    if (one.uses.length > usesKept) one.uses.shift();
    counted.set(slot, one);
  }

  let flushing: Promise<void> = Promise.resolve();

  /** One after the other: whoever has flushed sees also what an earlier flush was still writing. */
  function flush(): Promise<void> {
    const mine = flushing.then(write);
    flushing = mine.catch(() => {});
    return mine;
  }

  async function write(): Promise<void> {
    // In the order in which groups of accepts meet keys, so that two processes wait for each other in one direction.
    const batch = [...counted].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, one]) => one);
    counted = new Map();
    const writing: Promise<void>[] = [];
    for (let start = 0; start < batch.length; start += keysPerWrite)
      writing.push(writeSome(batch.slice(start, start + keysPerWrite)));
    // All at once, so that they share commits: with each one readers lose their pages.
    await Promise.all(writing);
  }

  function writeSome(some: readonly Counted[]): Promise<void> {
    return database.write(async (tx) => {
      await Promise.all(some.map((one) => recordUses(tx, one.account, one.keyHash, one)));
      for (const { account, hour, ...figures } of figuresOf(some)) await addFigures(tx, account, hour, figures);
    });
  }

  return { add, flush };
}

type Figures = { account: string; hour: number; replays: number; conflicts: number };

/** Of each account and hour once: its row is the same for all of its keys. */
function figuresOf(group: readonly Counted[]): Iterable<Figures> {
  const figures = new Map<string, Figures>();
  for (const { account, uses, replays, conflicts } of group) {
    const hour = Math.floor((uses.at(-1)?.at ?? 0) / hourMs);
    const slot = `${hour} ${account}`;
    const sum = figures.get(slot) ?? { account, hour, replays: 0, conflicts: 0 };
    sum.replays += replays;
    sum.conflicts += conflicts;
    figures.set(slot, sum);
  }
  return figures.values();
}
