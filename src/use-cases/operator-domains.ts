/** Domains that sign by DKIM_KEYS: the operator has put them there, and nobody changes them through a door. */

import { createPrivateKey, createPublicKey, hash } from 'node:crypto';
import { firstAccount } from '../core/account.ts';
import type { DkimKey } from '../core/dkim.ts';
import { type DomainKey, domainKeyOf } from '../core/domain.ts';
import { findGrantee } from '../store/account-domains.ts';
import { findAccount } from '../store/account-rules.ts';
import type { Reader } from '../store/database.ts';
import type { Domain } from '../store/domains.ts';

export type OperatorDomains = {
  /** Whose the domain is signs as it: whoever was given it, or else the first account. */
  list(account: string): Promise<Domain[]>;
};

/** Resend's default; it means nothing here. */
const region = 'us-east-1';

export function createOperatorDomains(keys: readonly DkimKey[], reader: Reader): OperatorDomains {
  const byName = new Map<string, DomainKey[]>();
  for (const key of keys) byName.set(key.domain, [...(byName.get(key.domain) ?? []), publicHalf(key)]);
  return {
    async list(account) {
      const domains: Domain[] = [];
      for (const [name, own] of byName) {
        const owner = (await findGrantee(reader, name)) ?? firstAccount;
        if (owner === account)
          domains.push(domainOf(account, name, own, (await findAccount(reader, account))?.createdAt ?? 0));
      }
      return domains;
    },
  };
}

function domainOf(account: string, name: string, keys: DomainKey[], createdAt: number): Domain {
  return {
    account,
    id: idOf(name),
    name,
    region,
    status: 'verified',
    keys,
    seen: { dkim: 'verified', dkim_ed25519: 'verified' },
    createdAt,
    askedAt: null,
    checkedAt: null,
    checkAt: null,
    receives: false,
    isOperators: true,
  };
}

/** The same at every start; a UUIDv8 (RFC 9562 5.8), as none that is made here. */
function idOf(name: string): string {
  const hex = hash('sha256', `sendonce domain ${name}`, 'hex');
  const parts = [
    hex.slice(0, 8),
    hex.slice(8, 12),
    `8${hex.slice(13, 16)}`,
    `8${hex.slice(17, 20)}`,
    hex.slice(20, 32),
  ];
  return parts.join('-');
}

function publicHalf({ selector, privateKeyPem }: DkimKey): DomainKey {
  const key = createPublicKey(createPrivateKey(privateKeyPem));
  const algorithm = key.asymmetricKeyType === 'ed25519' ? 'ed25519' : 'rsa';
  return domainKeyOf(algorithm, selector, key.export({ type: 'spki', format: 'der' }));
}
