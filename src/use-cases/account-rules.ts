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
  requireSender(account: string, address: string): Promise<void>;
};

export type RulesOptions = {
  reader: Reader;
  /** How long an operator's word may take to be heard. */
  cacheMs: number;
  firstNeedsGrant: boolean;
};

export function createAccountRules({ reader, cacheMs, firstNeedsGrant }: RulesOptions): AccountRules {
  /** Only of accounts that an operator has made: nobody fills it by guessing. */
  const known = new Map<string, { account: Account; until: number }>();

  async function look(name: string): Promise<Account | null> {
    const until = performance.now() + cacheMs;
    const account = await findAccount(reader, name);
    if (!account || account.deletedAt !== null) return null;
    known.set(name, { account, until });
    return account;
  }

  return {
    find(name) {
      const one = known.get(name);
      return one && one.until > performance.now() ? one.account : look(name);
    },

    async requireSender(account, address) {
      const domain = address.slice(address.lastIndexOf('@') + 1).toLowerCase();
      if (await maySendFrom(reader, account, domain, { firstNeedsGrant })) return;
      if (account === firstAccount && (await isShown(reader, account, domain))) return;
      throw notVerified(account, address, domain);
    },
  };
}

/** It has shown by DNS that the domain is its own, and the operator has given it to nobody else. */
async function isShown(reader: Reader, account: string, domain: string): Promise<boolean> {
  return (await findDomainOwner(reader, domain)) === account && (await findGrantee(reader, domain)) === null;
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
