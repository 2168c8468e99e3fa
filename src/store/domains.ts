/** Domains that accounts send from, and what DNS was seen to say of them. */

import type { DomainSeen, RecordSeen } from '../core/change.ts';
import { type DomainStatus, type RecordKind, type RecordStatus, recordsOf } from '../core/domain.ts';
import type { Reader, Transaction } from './database.ts';

export type Seen = Partial<Record<RecordKind, RecordStatus>>;

export type Domain = {
  account: string;
  id: string;
  name: string;
  region: string;
  status: DomainStatus;
  /** SubjectPublicKeyInfo in Base64. */
  publicKey: string;
  seen: Seen;
  createdAt: number;
  /** When somebody asked last for a look; epoch milliseconds, as the others. */
  askedAt: number | null;
  checkedAt: number | null;
  /** When it is looked at next; null: once somebody asks. */
  checkAt: number | null;
  /** Mail for it is taken, once it is verified. */
  receives: boolean;
};

type DomainRow = {
  account: string;
  id: string;
  name: string;
  region: string;
  status: DomainStatus;
  dkim_public: string;
  records: string;
  created_at: number;
  asked_at: number | null;
  checked_at: number | null;
  check_at: number | null;
  receives: number;
};

const columns =
  'account, id, name, region, status, dkim_public, records, created_at, asked_at, checked_at, check_at, receives';

/** Newest last: ids grow. */
export async function listDomains(reader: Reader, account: string): Promise<Domain[]> {
  const rows = await reader.all<DomainRow>(`select ${columns} from domains where account = ? order by id`, account);
  return rows.map(toDomain);
}

export async function findDomain(
  reader: Reader,
  account: string,
  by: { id: string } | { name: string },
): Promise<Domain | null> {
  const [column, value] = 'id' in by ? ['id', by.id] : ['name', by.name];
  const [row] = await reader.all<DomainRow>(
    `select ${columns} from domains where account = ? and ${column} = ?`,
    account,
    value,
  );
  return row ? toDomain(row) : null;
}

export async function countDomains(reader: Reader, account: string): Promise<number> {
  const [row] = await reader.all<{ count: number }>('select count(*) as count from domains where account = ?', account);
  return row?.count ?? 0;
}

/** Who has shown that it is theirs; null: nobody. */
export async function findDomainOwner(reader: Reader, name: string): Promise<string | null> {
  const [row] = await reader.all<{ account: string }>(
    "select account from domains where name = ? and status = 'verified'",
    name,
  );
  return row?.account ?? null;
}

/** Who takes the mail that comes for it: a verified domain that is marked as receiving; null: nobody. */
export async function findReceiver(reader: Reader, name: string): Promise<string | null> {
  const [row] = await reader.all<{ account: string }>(
    "select account from domains where name = ? and status = 'verified' and receives = 1",
    name,
  );
  return row?.account ?? null;
}

/** Whether any domain is marked as receiving. */
export async function hasReceiver(reader: Reader): Promise<boolean> {
  return (await reader.all('select 1 as one from domains where receives = 1 limit 1')).length > 0;
}

/** False: there is no such domain. */
export async function setReceives(tx: Transaction, account: string, id: string, receives: boolean): Promise<boolean> {
  const sql = 'update domains set receives = ? where account = ? and id = ?';
  return (await tx.run(sql, receives ? 1 : 0, account, id)) === 1;
}

/** Of a verified domain; null where there is none. */
export async function findSealedKey(
  reader: Reader,
  account: string,
  name: string,
): Promise<{ id: string; sealed: Uint8Array } | null> {
  const [row] = await reader.all<{ id: string; sealed: Uint8Array }>(
    "select id, dkim_sealed as sealed from domains where account = ? and name = ? and status = 'verified'",
    account,
    name,
  );
  return row ?? null;
}

export type NewDomain = Pick<Domain, 'account' | 'id' | 'name' | 'region' | 'publicKey' | 'createdAt'> & {
  sealed: Uint8Array;
};

/** False: the account has it already. */
export async function insertDomain(tx: Transaction, made: NewDomain): Promise<boolean> {
  const inserted = await tx.run(
    `insert into domains (account, id, name, region, status, dkim_public, dkim_sealed, records, created_at)
     values (?, ?, ?, ?, 'not_started', ?, ?, '{}', ?) on conflict do nothing`,
    made.account,
    made.id,
    made.name,
    made.region,
    made.publicKey,
    made.sealed,
    made.createdAt,
  );
  return inserted === 1;
}

export async function deleteDomain(tx: Transaction, account: string, id: string): Promise<boolean> {
  return (await tx.run('delete from domains where account = ? and id = ?', account, id)) === 1;
}

/** Somebody wants to know: it is looked at as soon as may be. What is verified stays so until a look says otherwise. */
export async function askForLook(tx: Transaction, account: string, id: string, now: number): Promise<boolean> {
  const changed = await tx.run(
    `update domains set asked_at = ?, check_at = ?, status = case status when 'verified' then status else 'pending' end
     where account = ? and id = ?`,
    now,
    now,
    account,
    id,
  );
  return changed === 1;
}

export async function listDueDomains(reader: Reader, now: number, limit: number): Promise<Domain[]> {
  const rows = await reader.all<DomainRow>(
    `select ${columns} from domains where check_at <= ? order by check_at limit ?`,
    now,
    limit,
  );
  return rows.map(toDomain);
}

/** False: another process looks at it, or somebody has asked or deleted it meanwhile. */
export async function claimLook(tx: Transaction, { account, id, checkAt }: Domain, until: number): Promise<boolean> {
  const changed = await tx.run(
    'update domains set check_at = ? where account = ? and id = ? and check_at = ?',
    until,
    account,
    id,
    checkAt,
  );
  return changed === 1;
}

export type Look = { status: DomainStatus; seen: Seen; checkAt: number | null; askedAt: number; now: number };

/** Of a look that was claimed until `claimedUntil`: nothing where another has begun since. */
export async function noteLook(tx: Transaction, domain: Domain, claimedUntil: number, look: Look): Promise<boolean> {
  const changed = await tx.run(
    `update domains set status = ?, records = ?, checked_at = ?, asked_at = ?, check_at = ?
     where account = ? and id = ? and check_at = ?`,
    look.status,
    JSON.stringify(look.seen),
    look.now,
    look.askedAt,
    look.checkAt,
    domain.account,
    domain.id,
    claimedUntil,
  );
  return changed === 1;
}

/** Each record that the domain should have, and what was seen of it. */
export function recordsSeen({ name, publicKey, seen, status }: Domain, senders: readonly string[]): RecordSeen[] {
  const unseen = status === 'not_started' ? 'not_started' : 'pending';
  return recordsOf(name, publicKey, senders).map((record) => ({ ...record, status: seen[record.kind] ?? unseen }));
}

/** What webhooks are told of it. */
export function seeDomain(domain: Domain, senders: readonly string[]): DomainSeen {
  const { id, name, status, region, createdAt } = domain;
  return { id, name, status, region, createdAt, records: recordsSeen(domain, senders) };
}

function toDomain(row: DomainRow): Domain {
  return {
    account: row.account,
    id: row.id,
    name: row.name,
    region: row.region,
    status: row.status,
    publicKey: row.dkim_public,
    seen: JSON.parse(row.records),
    createdAt: row.created_at,
    askedAt: row.asked_at,
    checkedAt: row.checked_at,
    checkAt: row.check_at,
    receives: row.receives === 1,
  };
}
