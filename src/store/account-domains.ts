/** Which domains an account may send from, and whose a domain is. */

import { anyDomain, firstAccount, grantsFor } from '../core/account.ts';
import type { Awaitable, Reader, Transaction } from './database.ts';

/** A domain as `parseGrant` writes it. */
export type Grant = { account: string; domain: string };

/** By name, then by domain. */
export async function listGrants(reader: Reader): Promise<Grant[]> {
  return reader.all<Grant>('select account, domain from account_domains order by account, domain');
}

/** False: another account than the first has it. One that has it already has it. */
export async function insertGrant(tx: Transaction, { account, domain }: Grant, now: number): Promise<boolean> {
  await tx.run(
    'insert into account_domains (account, domain, created_at) values (?, ?, ?) on conflict do nothing',
    account,
    domain,
    now,
  );
  const held = await tx.all('select 1 as one from account_domains where account = ? and domain = ?', account, domain);
  return held.length === 1;
}

/** False: it did not have it. */
export async function deleteGrant(tx: Transaction, { account, domain }: Grant): Promise<boolean> {
  return (await tx.run('delete from account_domains where account = ? and domain = ?', account, domain)) === 1;
}

/** Who, beside the first account, was given a domain; null: nobody. */
export async function findGrantee(reader: Reader, domain: string): Promise<string | null> {
  return granteeOf(domain, await grantsCovering(reader, domain));
}

/**
 * A domain that was given to an account is not another's. The first account may use any, unless it needs grants like the others: then
 * nobody has to be asked.
 */
export function maySendFrom(
  reader: Reader,
  account: string,
  domain: string,
  terms: { firstNeedsGrant: boolean },
): Awaitable<boolean> {
  return (account === firstAccount && !terms.firstNeedsGrant) || isGranted(reader, account, domain);
}

async function isGranted(reader: Reader, account: string, domain: string): Promise<boolean> {
  const grants = await grantsCovering(reader, domain);
  const own = grants.filter((grant) => grant.account === account);
  if (account === firstAccount) return own.length > 0;
  const grantee = granteeOf(domain, grants);
  return grantee === account || (grantee === null && own.some((grant) => grant.domain === anyDomain));
}

/** The closest one decides: `mail.acme.test` given to one account is not part of another's `*.acme.test`. */
function granteeOf(domain: string, grants: readonly Grant[]): string | null {
  for (const candidate of grantsFor(domain)) {
    const grant = grants.find((one) => one.domain === candidate && one.account !== firstAccount);
    if (grant && candidate !== anyDomain) return grant.account;
  }
  return null;
}

async function grantsCovering(reader: Reader, domain: string): Promise<Grant[]> {
  const candidates = grantsFor(domain);
  const places = candidates.map(() => '?').join(', ');
  return reader.all<Grant>(`select account, domain from account_domains where domain in (${places})`, ...candidates);
}
