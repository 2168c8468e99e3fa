/** Domains that an account sends from: made with a DKIM key of their own, looked for in DNS, and deleted. */

import { generateKeyPair, generateKeyPairSync } from 'node:crypto';
import { promisify } from 'node:util';
import type { Clock } from '../core/clock.ts';
import { type DomainKey, dkimSelectors, domainKeyOf } from '../core/domain.ts';
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
  listDomains,
  seeDomain,
  setReceives,
} from '../store/domains.ts';
import type { OperatorDomains } from './operator-domains.ts';

export type Domains = {
  /** With those of DKIM_KEYS, which come first; newest last. */
  list(account: string): Promise<Domain[]>;
  find(account: string, by: { id: string } | { name: string }): Promise<Domain | null>;
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
  /** What signs by DKIM_KEYS. */
  operators: OperatorDomains;
  /** Told after a commit of which webhooks may be to be told. */
  onChanged: () => void;
};

/** What a private key is sealed for. */
export const dkimPurpose = 'dkim';

/** Each has a look of its own at DNS every day. */
export const domainsMax = 1_000;

const makePair = promisify(generateKeyPair);

export function createDomains({
  database,
  clock,
  secrets,
  nextId,
  senders,
  operators,
  onChanged,
}: DomainOptions): Domains {
  /** One key at a time: each takes a thread of the pool that syncs the disk, for a tenth of a second and more. */
  let making: Promise<unknown> = Promise.resolve();

  function makeKey(): Promise<MadeKey> {
    const made = making.then(createRsaKey);
    making = made.catch(() => {});
    return made;
  }

  function sealedOf({ algorithm, spki, privateKeyPem }: MadeKey) {
    const { publicKey } = domainKeyOf(algorithm, dkimSelectors[algorithm], spki);
    return { publicKey, sealed: secrets.seal(dkimPurpose, Buffer.from(privateKeyPem)) };
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

  async function find(account: string, by: { id: string } | { name: string }): Promise<Domain | null> {
    const own = await operators.list(account);
    const isIt = (one: Domain) => ('id' in by ? one.id === by.id : one.name === by.name);
    return own.find(isIt) ?? findDomain(database, account, by);
  }

  /** @throws AppError: nobody changes what the operator has set through a door. */
  async function requireOwn(account: string, id: string): Promise<void> {
    if ((await find(account, { id }))?.isOperators) throw new AppError('invalid_field', operatorsText);
  }

  return {
    list: async (account) => [...(await operators.list(account)), ...(await listDomains(database, account))],
    find,

    async make(account, name, region) {
      if ((await find(account, { name })) || (await findDomainOwner(database, name))) throw registered(name);
      const keys = { rsa: sealedOf(await makeKey()), ed25519: sealedOf(createEd25519Key()) };
      const createdAt = clock.now();
      const id = nextId(createdAt);
      const made = await held(account, async (tx) => {
        if ((await countDomains(tx, account)) >= domainsMax) return 'too many';
        const isMade = await insertDomain(tx, { account, id, name, region, ...keys, createdAt });
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
        // Nobody looks for the records of DKIM_KEYS: what they are worth is the operator's to know.
        if (!before) return (await find(account, { id })) !== null;
        if (!(await askForLook(tx, account, id, clock.now()))) return false;
        if (before.status === 'not_started' || before.status === 'failed') await tell(tx, before, 'domain_updated');
        return true;
      }),

    async remove(account, id) {
      await requireOwn(account, id);
      return held(account, async (tx) => {
        await tell(tx, { account, id }, 'domain_deleted');
        return deleteDomain(tx, account, id);
      });
    },

    async receive(account, id, receives) {
      await requireOwn(account, id);
      return held(account, async (tx) => {
        const before = await findDomain(tx, account, { id });
        if (!before || !(await setReceives(tx, account, id, receives))) return false;
        if (before.receives !== receives) await tell(tx, before, 'domain_updated');
        return true;
      });
    },
  };
}

const operatorsText = 'The domain signs by DKIM_KEYS: the operator changes it there.';

type MadeKey = { algorithm: DomainKey['algorithm']; spki: Buffer; privateKeyPem: string };

async function createRsaKey(): Promise<MadeKey> {
  const { publicKey, privateKey } = await makePair('rsa', {
    modulusLength: 2048,
    publicKeyEncoding: { type: 'spki', format: 'der' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  });
  return { algorithm: 'rsa', spki: publicKey, privateKeyPem: privateKey };
}

/** In no time, unlike the other. */
function createEd25519Key(): MadeKey {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519', {
    publicKeyEncoding: { type: 'spki', format: 'der' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  });
  return { algorithm: 'ed25519', spki: publicKey, privateKeyPem: privateKey };
}

/** In the words of Resend's API. */
function registered(name: string): AppError {
  return new AppError('domain_not_allowed', `The \`${name}\` domain has been registered already.`, {
    extra: { sender: name },
  });
}
