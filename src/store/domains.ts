/** Domains that accounts send from, and what DNS was seen to say of them. */

import type { DomainSeen, RecordSeen } from '../core/change.ts';
import {
  type DomainKey,
  type DomainStatus,
  dkimSelectors,
  type RecordKind,
  type RecordStatus,
  recordsOf,
} from '../core/domain.ts';
import type { Reader, Transaction } from './database.ts';

export type Seen = Partial<Record<RecordKind, RecordStatus>>;

export type Domain = {
  account: string;
  id: string;
  name: string;
  region: string;
  status: DomainStatus;
  /** RSA, and beside it Ed25519; what was made by an older version has the first one alone. */
  keys: DomainKey[];
  seen: Seen;
  createdAt: number;
  /** When somebody asked last for a look; epoch milliseconds, as the others. */
  askedAt: number | null;
  checkedAt: number | null;
  /** When it is looked at next; null: once somebody asks. */
  checkAt: number | null;
  /** Mail for it is taken, once it is verified. */
  receives: boolean;
  /** It signs by DKIM_KEYS, and was not made through a door. */
  isOperators?: true;
};

type DomainRow = {
  account: string;
  id: string;
  name: string;
  region: string;
  status: DomainStatus;
  dkim_public: string;
  ed25519_public: string | null;
  records: string;
  created_at: number;
  asked_at: number | null;
  checked_at: number | null;
  check_at: number | null;
  receives: number;
};

const columns =
  'account, id, name, region, status, dkim_public, ed25519_public, records, created_at, asked_at, checked_at, check_at, receives';

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

export type SealedKey = { selector: string; sealed: Uint8Array };

/** Of a verified domain, those that were seen in DNS: a signature that nobody can check is a bad one. None where there is none. */
export async function listSealedKeys(reader: Reader, account: string, name: string): Promise<SealedKey[]> {
  const [row] = await reader.all<{ sealed: Uint8Array; ed25519_sealed: Uint8Array | null; records: string }>(
    `select dkim_sealed as sealed, ed25519_sealed, records from domains
     where account = ? and name = ? and status = 'verified'`,
    account,
    name,
  );
  if (!row) return [];
  const { dkim_ed25519: ed25519 }: Seen = JSON.parse(row.records);
  const also =
    ed25519 === 'verified' && row.ed25519_sealed
      ? [{ selector: dkimSelectors.ed25519, sealed: row.ed25519_sealed }]
      : [];
  return [{ selector: dkimSelectors.rsa, sealed: row.sealed }, ...also];
}

export type NewDomain = Pick<Domain, 'account' | 'id' | 'name' | 'region' | 'createdAt'> & {
  rsa: { publicKey: string; sealed: Uint8Array };
  ed25519: { publicKey: string; sealed: Uint8Array };
};

/** False: the account has it already. */
export async function insertDomain(tx: Transaction, made: NewDomain): Promise<boolean> {
  const inserted = await tx.run(
    `insert into domains (account, id, name, region, status, dkim_public, dkim_sealed, ed25519_public, ed25519_sealed,
       records, created_at) values (?, ?, ?, ?, 'not_started', ?, ?, ?, ?, '{}', ?) on conflict do nothing`,
    made.account,
    made.id,
    made.name,
    made.region,
    made.rsa.publicKey,
    made.rsa.sealed,
    made.ed25519.publicKey,
    made.ed25519.sealed,
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
export function recordsSeen({ name, keys, seen, status }: Domain, senders: readonly string[]): RecordSeen[] {
  const unseen = status === 'not_started' ? 'not_started' : 'pending';
  return recordsOf(name, keys, senders).map((record) => ({ ...record, status: seen[record.kind] ?? unseen }));
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
    keys: keysOf(row),
    seen: JSON.parse(row.records),
    createdAt: row.created_at,
    askedAt: row.asked_at,
    checkedAt: row.checked_at,
    checkAt: row.check_at,
    receives: row.receives === 1,
  };
}

function keysOf({ dkim_public, ed25519_public }: DomainRow): DomainKey[] {
  const rsa: DomainKey = { selector: dkimSelectors.rsa, algorithm: 'rsa', publicKey: dkim_public };
  if (ed25519_public === null) return [rsa];
  return [rsa, { selector: dkimSelectors.ed25519, algorithm: 'ed25519', publicKey: ed25519_public }];
}
