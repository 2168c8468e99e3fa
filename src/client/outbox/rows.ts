/** The rows of an outbox as drains move them: claim, renew, settle. */

import { all, type OutboxDatabase, run, type Steps } from './engine.ts';
import { formOperations, type Operation, type OutboxRow } from './operation.ts';
import { dueAt } from './table.ts';

export type ClaimTerms = {
  /** A name no other claim has. */
  claim: string;
  /** Who does not renew it for so long is dead, and others take the rows. */
  leaseMs: number;
  /** How long a key is sure to be remembered after a request that may have been accepted. */
  keyLifetimeMs: Record<OutboxRow['facade'], number>;
};

/**
 * What became of a row. `cleared` where this try is known to have accepted nothing; `alone` where the row is known not to have
 * been accepted as part of its batch, and goes under a key of its own from now on.
 */
export type Settlement =
  | { seq: number; kind: 'sent'; emailIds: string[] | null }
  | { seq: number; kind: 'parked'; because: 'refused' | 'conflict' | 'unknown'; error: string; alone?: boolean }
  | { seq: number; kind: 'later'; delayMs: number; error: string; cleared: boolean; alone?: boolean };

/** Enough for one batch. */
const rowsAtOnce = 100;

/** What a claim may bring into memory at once, beside its first row: attachments make rows large. */
const bytesAtOnce = 8 * 1024 * 1024;

type FoundRow = {
  seq: number;
  id: string;
  facade: OutboxRow['facade'];
  endpoint: string;
  attempts: number;
  unknown_since: unknown;
  batch: string | null;
  size: number;
};

const columns = 'seq, id, facade, endpoint, attempts, unknown_since, batch, length(payload) as size';
const open = `state in ('waiting', 'parked')`;

// Of a group only the first row that is not done with: the others wait for it.
const groupHeads = `
  with recursive groups(name) as (
    select min(ordering) from sendonce_outbox where ${open} and ordering is not null
    union all
    select (select min(rest.ordering) from sendonce_outbox rest where rest.${open} and rest.ordering > groups.name)
    from groups where groups.name is not null
  )
  select (select min(head.seq) from sendonce_outbox head where head.${open} and head.ordering = groups.name) as seq
  from groups where groups.name is not null`;

/**
 * Claims what is due, as operations whose keys and members are on the disk when this resolves: only then may they be sent.
 * Each of them counts as possibly accepted from now on.
 */
export function claimRows(database: OutboxDatabase, terms: ClaimTerms): Promise<Operation[]> {
  return database.transaction(function* (now) {
    const found = yield* findDue(database, now);
    const [overdue, usable] = divide(found, (row) => isOverdue(row, terms, now));
    yield* parkOverdue(database, overdue, now);
    const { fresh, batches } = yield* readRows(database, usable);
    const operations = [...batches, ...formOperations(fresh)];
    yield* writeClaims(database, operations, { ...terms, now });
    return operations;
  });
}

function* findDue(database: OutboxDatabase, now: number): Steps<FoundRow[]> {
  const due = `state = 'waiting' and (batch is null or batch = id) and ${dueAt[database.engine]} <= ?`;
  const heads = yield* all<FoundRow>(
    `select ${columns} from sendonce_outbox where seq in (${groupHeads}) and ${due} order by seq limit ? ${database.skipLocked}`,
    database.time(now),
    rowsAtOnce / 2,
  );
  const others = yield* all<FoundRow>(
    `select ${columns} from sendonce_outbox where ordering is null and ${due}
     order by ${dueAt[database.engine]}, seq limit ? ${database.skipLocked}`,
    database.time(now),
    rowsAtOnce - heads.length,
  );
  return withinBytes([...heads, ...others].sort((one, other) => one.seq - other.seq));
}

function withinBytes(rows: FoundRow[]): FoundRow[] {
  let bytes = 0;
  return rows.filter((row, index) => {
    bytes += row.size;
    return index === 0 || bytes <= bytesAtOnce;
  });
}

/** Beyond its key's life a repeat could be accepted as a new request. */
function isOverdue(row: FoundRow, { keyLifetimeMs }: ClaimTerms, now: number): boolean {
  const since = timeOf(row.unknown_since);
  return since !== null && now >= since + keyLifetimeMs[row.facade];
}

function* parkOverdue(database: OutboxDatabase, rows: FoundRow[], now: number) {
  for (const row of rows) {
    yield* run(
      `update sendonce_outbox set state = 'parked', parked_because = 'unknown', claim = null, settled_at = ?
       where state = 'waiting' and ${row.batch === null ? 'id' : 'batch'} = ?`,
      database.time(now),
      row.id,
    );
  }
}

function* readRows(database: OutboxDatabase, found: FoundRow[]) {
  const payloads = yield* all<{ seq: number; payload: string }>(
    `select seq, payload from sendonce_outbox where seq ${database.among}`,
    JSON.stringify(found.map(({ seq }) => seq)),
  );
  const payloadOf = new Map(payloads.map(({ seq, payload }) => [seq, payload]));
  const [led, fresh] = divide(found, ({ batch }) => batch !== null);
  const batches: Operation[] = [];
  for (const { id } of led) {
    const members = yield* all<FoundRow & { payload: string }>(
      `select ${columns}, payload from sendonce_outbox where ${open} and state = 'waiting' and batch = ? order by seq`,
      id,
    );
    batches.push({ isBatch: true, rows: members.map((row) => rowOf(row, row.payload)) });
  }
  return { batches, fresh: fresh.map((row) => rowOf(row, payloadOf.get(row.seq) ?? '')) };
}

function rowOf(found: FoundRow, payload: string): OutboxRow {
  const { seq, id, facade, endpoint, attempts, batch } = found;
  return { seq, id, facade, endpoint, payload, attempts, batch, unknownSince: timeOf(found.unknown_since) };
}

function* writeClaims(
  database: OutboxDatabase,
  operations: Operation[],
  { claim, leaseMs, now }: ClaimTerms & { now: number },
): Steps<void> {
  const claims = operations.flatMap(({ rows, isBatch }) =>
    rows.map(({ seq }) => ({ seq, batch: isBatch ? rows[0]?.id : null })),
  );
  if (claims.length === 0) return;
  yield* run(
    `update sendonce_outbox set claim = ?, run_at = ?, attempts = attempts + 1, batch = claims.batch,
       unknown_since = coalesce(unknown_since, ?)
     from ${database.records('claims', 'seq bigint, batch text')}
     where sendonce_outbox.seq = claims.seq`,
    claim,
    database.time(now + leaseMs),
    database.time(now),
    JSON.stringify(claims),
  );
}

/** Whether anybody, dead or alive, has rows in hand. */
export async function hasClaims(database: OutboxDatabase): Promise<boolean> {
  const found = await database.all(`select 1 from sendonce_outbox where ${open} and claim is not null limit 1`);
  return found.length > 0;
}

/** Says that the claim is at work still. Of a batch its first row speaks for all. */
export function renewClaim(database: OutboxDatabase, { claim, leaseMs }: ClaimTerms, seqs: number[]): Promise<number> {
  return database.transaction((now) =>
    run(
      `update sendonce_outbox set run_at = ? where seq ${database.among} and claim = ? and state = 'waiting'`,
      database.time(now + leaseMs),
      JSON.stringify(seqs),
      claim,
    ),
  );
}

/**
 * Records what became of rows. That one was accepted is a fact, and recorded whoever has the row by now; everything else is only
 * for the claim to say.
 */
export function settleRows(database: OutboxDatabase, claim: string, settlements: Settlement[]): Promise<void> {
  return database.transaction(function* (now) {
    yield* writeSent(database, settlements, now);
    yield* writeParked(database, settlements, { claim, now });
    yield* writeLater(database, settlements, { claim, now });
  });
}

function* writeSent(database: OutboxDatabase, settlements: Settlement[], now: number) {
  const sent = settlements.flatMap((one) =>
    one.kind === 'sent' ? [{ seq: one.seq, email_ids: one.emailIds && JSON.stringify(one.emailIds) }] : [],
  );
  if (sent.length === 0) return;
  yield* run(
    `update sendonce_outbox set state = 'sent', email_ids = told.email_ids, settled_at = ?,
       run_at = null, claim = null, parked_because = null, last_error = null, unknown_since = null
     from ${database.records('told', 'seq bigint, email_ids text')}
     where sendonce_outbox.seq = told.seq and sendonce_outbox.${open}`,
    database.time(now),
    JSON.stringify(sent),
  );
}

type Fence = { claim: string; now: number };

function* writeParked(database: OutboxDatabase, settlements: Settlement[], { claim, now }: Fence): Steps<void> {
  const parked = settlements.flatMap((one) =>
    one.kind === 'parked' ? [{ seq: one.seq, because: one.because, error: one.error, alone: one.alone ? 1 : 0 }] : [],
  );
  if (parked.length === 0) return;
  yield* run(
    `update sendonce_outbox set state = 'parked', parked_because = told.because, last_error = told.error, settled_at = ?,
       claim = null, batch = case when told.alone = 1 then null else sendonce_outbox.batch end
     from ${database.records('told', 'seq bigint, because text, error text, alone integer')}
     where sendonce_outbox.seq = told.seq and sendonce_outbox.claim = ? and sendonce_outbox.state = 'waiting'`,
    database.time(now),
    JSON.stringify(parked),
    claim,
  );
}

function* writeLater(database: OutboxDatabase, settlements: Settlement[], { claim, now }: Fence): Steps<void> {
  for (const one of settlements) {
    if (one.kind !== 'later') continue;
    yield* run(
      `update sendonce_outbox set run_at = ?, last_error = ?, claim = null
         ${one.cleared ? ', unknown_since = null' : ''}${one.alone ? ', batch = null' : ''}
       where seq = ? and claim = ? and state = 'waiting'`,
      database.time(now + one.delayMs),
      one.error,
      one.seq,
      claim,
    );
  }
}

/** PostgreSQL hands over dates, SQLite what the table has. */
export function timeOf(value: unknown): number | null {
  return value === null || value === undefined ? null : Number(value);
}

function divide<T>(all: T[], belongs: (one: T) => boolean): [those: T[], others: T[]] {
  return [all.filter(belongs), all.filter((one) => !belongs(one))];
}
