/** Accounts as an operator makes, pauses, bounds and ends them; every running process hears of it within a second or so. */

import { firstAccount, type Limits } from '../core/account.ts';
import type { Clock } from '../core/clock.ts';
import { AppError } from '../core/error.ts';
import { findUsed, measureUsed, startCounting, stopCounting } from '../store/account-counts.ts';
import { deleteGrant, insertGrant } from '../store/account-domains.ts';
import {
  type Account,
  disableAccount,
  enableAccount,
  endAccount,
  findAccount,
  hasOpenDeliveries,
  holdAccount,
  listQueuedAfter,
  putLimits,
} from '../store/account-rules.ts';
import { ensureAccount } from '../store/accounts.ts';
import type { Database, Transaction } from '../store/database.ts';
import { cancelDeliveries } from '../store/mail/amend.ts';
import { deleteWebhook, listWebhookNumbers } from '../store/webhooks/webhooks.ts';

export type Accounts = {
  /** @throws AppError `already_exists`, also for the name of one that was deleted. */
  make(name: string): Promise<void>;
  /** Its keys are refused and its mail waits, scheduled and webhooks too. @throws AppError `not_found`. */
  disable(name: string): Promise<void>;
  /** Lets it go on. @throws AppError `not_found`. */
  enable(name: string): Promise<void>;
  /** What is left out stays. @throws AppError `not_found`. */
  limit(name: string, change: Partial<Limits>): Promise<Limits>;
  /** @throws AppError `not_found`; `already_exists` where another account has the domain. */
  allow(name: string, domain: string): Promise<void>;
  /** False: it was not allowed. */
  disallow(name: string, domain: string): Promise<boolean>;
  /** Cancels what it has queued, and what has not left once already. Tells how many emails. @throws AppError `not_found`. */
  cancel(name: string): Promise<number>;
  /** @throws AppError `not_found`; `invalid_field` for the first one, and while mail of it is open. */
  remove(name: string): Promise<void>;
};

export function createAccounts(database: Database, clock: Pick<Clock, 'now'>, onQueued: () => void): Accounts {
  return {
    make: (name) => database.write((tx) => makeAccount(tx, name, clock.now())),

    async disable(name) {
      if (!(await database.write((tx) => disableAccount(tx, name, clock.now())))) throw noSuch(name);
    },

    async enable(name) {
      if (!(await database.write((tx) => enableAccount(tx, name, clock.now())))) throw noSuch(name);
      onQueued();
    },

    async limit(name, change) {
      // What is accepted between this and the first count, a second at most, is not in it.
      const used = (await findUsed(database, name, clock.now())) ?? (await measureUsed(database, name, clock.now()));
      return database.write(async (tx) => {
        const { requestsPerSecond, emailsPerDay, storedBytesMax } = await heldAccount(tx, name);
        const limits = { requestsPerSecond, emailsPerDay, storedBytesMax, ...change };
        await putLimits(tx, name, limits);
        if (isCounted(limits)) await startCounting(tx, name, used, clock.now());
        else await stopCounting(tx, name);
        return limits;
      });
    },

    allow: (name, domain) =>
      database.write(async (tx) => {
        await heldAccount(tx, name);
        if (await insertGrant(tx, { account: name, domain }, clock.now())) return;
        throw new AppError('already_exists', `Another account has ${domain}: disallow it there first.`);
      }),

    disallow: (name, domain) => database.write((tx) => deleteGrant(tx, { account: name, domain })),

    cancel: (name) => cancelQueued(database, name, () => clock.now()),

    remove: (name) => database.write((tx) => endHeld(tx, name, clock.now())),
  };
}

/** As many as one transaction cancels: claims go on beside it. */
const canceledAtOnce = 100;

async function cancelQueued(database: Database, name: string, now: () => number): Promise<number> {
  if (!(await findAccount(database, name))) throw noSuch(name);
  let canceled = 0;
  for (let after = ''; ; ) {
    const ids = await listQueuedAfter(database, name, after, canceledAtOnce);
    canceled += await database.write(async (tx) => {
      const done = [];
      for (const emailId of ids) done.push(await cancelDeliveries(tx, { account: name, emailId }, now()));
      return done.filter(Boolean).length;
    });
    after = ids.at(-1) ?? '';
    if (ids.length < canceledAtOnce) return canceled;
  }
}

/** Whether acceptances have to be counted. */
export function isCounted({ emailsPerDay, storedBytesMax }: Limits): boolean {
  return emailsPerDay !== null || storedBytesMax !== null;
}

async function makeAccount(tx: Transaction, name: string, now: number): Promise<void> {
  const known = await findAccount(tx, name);
  if (known?.deletedAt === null) throw new AppError('already_exists', `There is an account ${name}.`);
  // Whoever got it would get what is left of the other's history.
  if (known) throw new AppError('already_exists', `There was an account ${name}: its name is not given again.`);
  await ensureAccount(tx, name, now);
}

async function endHeld(tx: Transaction, name: string, now: number): Promise<void> {
  if (name === firstAccount) throw new AppError('invalid_field', 'The first account cannot be deleted.');
  await heldAccount(tx, name);
  if (await hasOpenDeliveries(tx, name)) {
    throw new AppError(
      'invalid_field',
      `Mail of ${name} has not left yet, or is in doubt, and would be lost: let it go, cancel it (sendonce account cancel ${name}), or settle it (sendonce queue). sendonce account disable ${name} closes the account meanwhile.`,
    );
  }
  for (const number of await listWebhookNumbers(tx, name)) await deleteWebhook(tx, number, now);
  await endAccount(tx, name, now);
}

/** Nobody else changes it until this transaction ends. @throws AppError `not_found` */
async function heldAccount(tx: Transaction, name: string): Promise<Account> {
  const account = await holdAccount(tx, name);
  if (!account) throw noSuch(name);
  return account;
}

function noSuch(name: string): AppError {
  return new AppError('not_found', `There is no account ${name}: sendonce account list names them.`);
}
