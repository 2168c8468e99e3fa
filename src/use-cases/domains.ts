/** Domains that an account sends from: made with a DKIM key of their own, looked for in DNS, and deleted. */

import { generateKeyPair } from 'node:crypto';
import { promisify } from 'node:util';
import type { Clock } from '../core/clock.ts';
import { AppError } from '../core/error.ts';
import type { DomainFact } from '../core/event.ts';
import type { Secrets } from '../core/secrets.ts';
import { lockAccount } from '../store/accounts.ts';
import { tellDomain } from '../store/changes.ts';
import type { Database, Transaction } from '../store/database.ts';
import {
  askForLook,
  countDomains,
  type Domain,
  deleteDomain,
  findDomain,
  findDomainOwner,
  insertDomain,
  seeDomain,
  setReceives,
} from '../store/domains.ts';

export type Domains = {
  /**
   * @param name as `parseDomain` writes it.
   * @throws AppError `domain_not_allowed` where it is registered already; `invalid_field` where the account has too many.
   */
  make(account: string, name: string, region: string): Promise<Domain>;
  /** False: there is no such domain. The look itself comes a moment later. */
  verify(account: string, id: string): Promise<boolean>;
  remove(account: string, id: string): Promise<boolean>;
  /** Whether mail for it is taken. False: there is no such domain. */
  receive(account: string, id: string, receives: boolean): Promise<boolean>;
};

export type DomainOptions = {
  database: Database;
  clock: Pick<Clock, 'now'>;
  secrets: Pick<Secrets, 'seal'>;
  nextId: (now: number) => string;
  /** SPF mechanisms of the relays. */
  senders: () => readonly string[];
  /** Told after a commit of which webhooks may be to be told. */
  onChanged: () => void;
};

/** What a private key is sealed for. */
export const dkimPurpose = 'dkim';

/** Each has a look of its own at DNS every day. */
export const domainsMax = 1_000;

const makePair = promisify(generateKeyPair);

export function createDomains({ database, clock, secrets, nextId, senders, onChanged }: DomainOptions): Domains {
  /** One key at a time: each takes a thread of the pool that syncs the disk, for a tenth of a second and more. */
  let making: Promise<unknown> = Promise.resolve();

  function makeKey(): Promise<{ publicKey: string; privateKeyPem: string }> {
    const made = making.then(createKey);
    making = made.catch(() => {});
    return made;
  }

  /** One at a time for each account, so that each change is told once. */
  async function held<T>(account: string, work: (tx: Transaction) => Promise<T>): Promise<T> {
    const done = await database.write(async (tx) => {
      await lockAccount(tx, account);
      return work(tx);
    });
    onChanged();
    return done;
  }

  /** Tells of a domain as it is now; null: there is none. */
  async function tell(tx: Transaction, { account, id }: Pick<Domain, 'account' | 'id'>, type: DomainFact) {
    const domain = await findDomain(tx, account, { id });
    if (domain) await tellDomain(tx, account, type, clock.now(), () => seeDomain(domain, senders()));
    return domain;
  }

  return {
    async make(account, name, region) {
      if (await isTaken(database, account, name)) throw registered(name);
      const { publicKey, privateKeyPem } = await makeKey();
      const createdAt = clock.now();
      const id = nextId(createdAt);
      const sealed = secrets.seal(dkimPurpose, Buffer.from(privateKeyPem));
      const made = await held(account, async (tx) => {
        if ((await countDomains(tx, account)) >= domainsMax) return 'too many';
        const isMade = await insertDomain(tx, { account, id, name, region, publicKey, sealed, createdAt });
        return isMade ? tell(tx, { account, id }, 'domain_created') : null;
      });
      if (made === 'too many')
        throw new AppError('invalid_field', `An account can have at most ${domainsMax} domains.`);
      if (!made) throw registered(name);
      return made;
    },

    verify: (account, id) =>
      held(account, async (tx) => {
        const before = await findDomain(tx, account, { id });
        if (!before || !(await askForLook(tx, account, id, clock.now()))) return false;
        if (before.status === 'not_started' || before.status === 'failed') await tell(tx, before, 'domain_updated');
        return true;
      }),

    remove: (account, id) =>
      held(account, async (tx) => {
        await tell(tx, { account, id }, 'domain_deleted');
        return deleteDomain(tx, account, id);
      }),

    receive: (account, id, receives) =>
      held(account, async (tx) => {
        const before = await findDomain(tx, account, { id });
        if (!before || !(await setReceives(tx, account, id, receives))) return false;
        if (before.receives !== receives) await tell(tx, before, 'domain_updated');
        return true;
      }),
  };
}

async function isTaken(database: Database, account: string, name: string): Promise<boolean> {
  if (await findDomain(database, account, { name })) return true;
  return (await findDomainOwner(database, name)) !== null;
}

async function createKey(): Promise<{ publicKey: string; privateKeyPem: string }> {
  const { publicKey, privateKey } = await makePair('rsa', {
    modulusLength: 2048,
    publicKeyEncoding: { type: 'spki', format: 'der' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  });
  return { publicKey: publicKey.toString('base64'), privateKeyPem: privateKey };
}

/** In the words of Resend's API. */
function registered(name: string): AppError {
  return new AppError('domain_not_allowed', `The \`${name}\` domain has been registered already.`, {
    extra: { sender: name },
  });
}
