/** Mail that comes for the domains of accounts: whose each recipient is, and one copy for each account, told in the same transaction. */

import { firstAccount } from '../core/account.ts';
import type { Clock } from '../core/clock.ts';
import type { ReceivedFile, ReceivedHead } from '../core/received-mail.ts';
import { findGrantee } from '../store/account-domains.ts';
import { findAccount } from '../store/account-rules.ts';
import type { Database, Reader, Transaction } from '../store/database.ts';
import { findDomainOwner, findReceiver, hasReceiver } from '../store/domains.ts';
import { insertReceivedMail } from '../store/received-mails.ts';

/** `hash`: the same only where its server sends it again. `rawFor`: the mail behind its trace, for whom it is kept under which id. */
export type ArrivedMail = {
  recipients: readonly string[];
  hash: Uint8Array;
  head: ReceivedHead;
  files: readonly ReceivedFile[];
  rawFor: (copy: { id: string; at: number }) => Uint8Array;
};

export type ReceiveMail = {
  /** Whether there is any domain that mail may be for. */
  isAsked(): Promise<boolean>;
  /** Whose mail for the domain is; null: nobody's. `isWaiting`: its operator has disabled it for now. */
  findOwner(domain: string): Promise<{ account: string; isWaiting: boolean } | null>;
  /** Resolves once it is safe, with the ids it is kept under: none where nobody takes it any more. */
  take(mail: ArrivedMail): Promise<string[]>;
};

export type ReceiveOptions = {
  database: Database;
  clock: Pick<Clock, 'now'>;
  nextId: (now: number) => string;
  /** What RECEIVING_DOMAINS names. */
  domains: readonly string[];
  /** Told after each commit: webhooks may be to be told. */
  onTaken: () => void;
};

export function createReceiveMail(options: ReceiveOptions): ReceiveMail {
  const { database, clock, nextId, domains, onTaken } = options;

  async function findOwner(domain: string) {
    const name = await ownerOf(database, domain.toLowerCase(), domains);
    const account = name === null ? null : await findAccount(database, name);
    if (!account || account.deletedAt !== null) return null;
    return { account: account.name, isWaiting: account.disabledAt !== null };
  }

  return {
    isAsked: async () => domains.length > 0 || hasReceiver(database),
    findOwner,

    async take({ recipients, hash, head, files, rawFor }) {
      const byAccount = new Map<string, string[]>();
      for (const recipient of recipients) {
        const owner = await findOwner(domainOf(recipient));
        if (owner) byAccount.set(owner.account, [...(byAccount.get(owner.account) ?? []), recipient]);
      }
      const at = clock.now();
      const copies = [...byAccount].map(([account, receivedFor]) => ({ account, receivedFor, id: nextId(at) }));
      const ids = await database.write(
        async (tx: Transaction) => {
          const kept: string[] = [];
          for (const { id, account, receivedFor } of copies) {
            const raw = rawFor({ id, at });
            // Whom it came for in another account is none of this one's business.
            const own = { ...head, bcc: head.bcc.filter((one) => receivedFor.includes(one)) };
            const copy = { account, id, createdAt: at, hash, head: own, receivedFor, files, raw };
            kept.push(await insertReceivedMail(tx, copy));
          }
          return kept;
        },
        { about: `received ${Buffer.from(hash).toString('hex')}` },
      );
      onTaken();
      return ids;
    },
  };
}

/** Who has shown that the domain is theirs; else who was given it; else whoever runs the server. */
async function ownerOf(reader: Reader, domain: string, listed: readonly string[]): Promise<string | null> {
  if (!listed.includes(domain)) return findReceiver(reader, domain);
  return (await findDomainOwner(reader, domain)) ?? (await findGrantee(reader, domain)) ?? firstAccount;
}

export function domainOf(address: string): string {
  return address.slice(address.lastIndexOf('@') + 1).toLowerCase();
}
