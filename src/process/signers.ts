/** Who signs what: keys from DKIM_KEYS, and those that were made with a domain. */

import { firstAccount } from '../core/account.ts';
import { createDkimSigners, type DkimKey, type DkimSigner, type SignerFor } from '../core/dkim.ts';
import type { Secrets } from '../core/secrets.ts';
import { findGrantee } from '../store/account-domains.ts';
import type { Reader } from '../store/database.ts';
import { listSealedKeys, type SealedKey } from '../store/domains.ts';
import { dkimPurpose } from '../use-cases/domains.ts';

/** How long a domain that was verified, or deleted, may stay unheard of. */
const heardWithinMs = 2_000;

/** Of what is remembered: more domains than send at one time. */
const knownMax = 1_000;

type Known = { until: number; signer: DkimSigner | null };

/** All keys of a domain sign. A domain is the first account's, unless it was given to one other: only its own mail is signed. */
export function createSigners(keys: readonly DkimKey[], reader: Reader, secrets: Pick<Secrets, 'open'>): SignerFor {
  const signers = new Map(
    [...new Set(keys.map(({ domain }) => domain))].map((one) => [
      one,
      createDkimSigners(keys.filter((key) => key.domain === one)),
    ]),
  );
  const made = new Map<string, Known>();
  return async (account, domain) => {
    const signer = signers.get(domain);
    if (!signer) return findMade(account, domain);
    const owner = (await findGrantee(reader, domain)) ?? firstAccount;
    return owner === account ? signer : null;
  };

  async function findMade(account: string, domain: string): Promise<DkimSigner | null> {
    const name = `${account} ${domain}`;
    const known = made.get(name);
    if (known && known.until > performance.now()) return known.signer;
    const until = performance.now() + heardWithinMs;
    const signer = await openSigner(reader, secrets, account, domain);
    if (made.size >= knownMax) made.clear();
    made.set(name, { until, signer });
    return signer;
  }
}

/** @throws where the key was sealed under a secret key that is gone: unsigned mail would be refused, and nobody would know why. */
async function openSigner(
  reader: Reader,
  secrets: Pick<Secrets, 'open'>,
  account: string,
  domain: string,
): Promise<DkimSigner | null> {
  const found = await listSealedKeys(reader, account, domain);
  if (found.length === 0) return null;
  return createDkimSigners(
    found.map(({ selector, sealed }: SealedKey) => {
      const pem = secrets.open(dkimPurpose, sealed);
      if (!pem) {
        throw new Error(`The DKIM key of ${domain} cannot be opened: SECRET_KEY is not the one it was made under.`);
      }
      return { domain, selector, privateKeyPem: Buffer.from(pem).toString() };
    }),
  );
}
