/** What is asked about an account at every request: whether it waits, its limits, and what it may send from. */

import { firstAccount } from '../core/account.ts';
import { AppError } from '../core/error.ts';
import { findGrantee, maySendFrom } from '../store/account-domains.ts';
import { type Account, findAccount } from '../store/account-rules.ts';
import type { Awaitable, Reader } from '../store/database.ts';
import { findDomainOwner } from '../store/domains.ts';

export type AccountRules = {
  /** As it was at most `cacheMs` ago; null where there is none, or it was deleted. */
  find(name: string): Awaitable<Account | null>;
  /** @throws AppError `domain_not_allowed` where the account may not send from the address. */
  requireSender(account: string, address: string): Awaitable<void>;
};

export type RulesOptions = {
  reader: Reader;
  /** How long an operator's word may take to be heard. */
  cacheMs: number;
  firstNeedsGrant: boolean;
  /** What signs by DKIM_KEYS: the first account's, where the operator has given it to nobody. */
  operators?: readonly string[];
};

export function createAccountRules({ reader, cacheMs, firstNeedsGrant, operators = [] }: RulesOptions): AccountRules {
  /** Only of accounts that an operator has made: nobody fills it by guessing. */
  const known = new Map<string, { account: Account; until: number }>();

  async function look(name: string): Promise<Account | null> {
    const until = performance.now() + cacheMs;
    const account = await findAccount(reader, name);
    if (!account || account.deletedAt !== null) return null;
    known.set(name, { account, until });
    return account;
  }

  async function require(account: string, address: string, mayAnyway: Promise<boolean>): Promise<void> {
    if (await mayAnyway) return;
    const domain = domainOf(address);
    // It has shown by DNS, or the operator has, that the domain is its own.
    const isShown = operators.includes(domain) || (await findDomainOwner(reader, domain)) === account;
    if (account === firstAccount && isShown && (await findGrantee(reader, domain)) === null) return;
    throw notVerified(account, address, domain);
  }

  return {
    find(name) {
      const one = known.get(name);
      return one && one.until > performance.now() ? one.account : look(name);
    },

    requireSender(account, address) {
      const may = maySendFrom(reader, account, domainOf(address), { firstNeedsGrant });
      return may === true ? undefined : require(account, address, Promise.resolve(may));
    },
  };
}

function domainOf(address: string): string {
  return address.slice(address.lastIndexOf('@') + 1).toLowerCase();
}

/** In the words of Resend's API, which clients compare (docs/resend.md). */
function notVerified(account: string, address: string, domain: string): AppError {
  return new AppError(
    'domain_not_allowed',
    `The ${domain} domain is not verified. Please, add and verify your domain on https://resend.com/domains`,
    { extra: { sender: address, hint: `Here the operator decides: sendonce account allow ${account} ${domain}` } },
  );
}

export function isActive(account: Account | null): account is Account {
  return account !== null && account.disabledAt === null;
}
