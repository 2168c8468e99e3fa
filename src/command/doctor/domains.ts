/** What `sendonce doctor` says of the DNS of the domains that mail is sent from: what receivers look at before they take it. */

import { createPrivateKey, createPublicKey } from 'node:crypto';
import { Resolver } from 'node:dns/promises';
import type { Config } from '../../config/config.ts';
import { anyDomain } from '../../core/account.ts';
import { envelopeAddress } from '../../core/address.ts';
import type { DkimKey } from '../../core/dkim.ts';
import { listGrants } from '../../store/account-domains.ts';
import type { Database } from '../../store/database.ts';
import { type Finding, note, ok } from './finding.ts';

/** The records of a name, as `Resolver.resolveTxt` has them. */
export type ResolveTxt = (name: string) => Promise<string[][]>;

/** More are an operator's with many customers: their domains are not looked up one by one. */
const domainsMax = 10;
/** What was sent last tells what it is sent from. */
const lastEmails = 200;

/** Only notes: a relay that signs and sends by itself may need none of it. */
export async function checkDomains(
  { dkim, relay }: Pick<Config, 'dkim' | 'relay'>,
  database: Database,
  resolve: ResolveTxt = systemResolver(),
): Promise<Finding[]> {
  // Captured mail is shown to no receiver.
  if (relay.kind === 'capture') return [];
  const domains = (await domainsOf(dkim, database)).slice(0, domainsMax);
  const answers = await Promise.all(domains.map((domain) => askAbout(domain, dkim, resolve)));
  if (answers.length > 0 && answers.every((one) => one === null)) {
    return [note(`DNS does not answer here: what receivers see of ${domains.join(', ')} is not checked`)];
  }
  return answers.filter((one) => one !== null);
}

function systemResolver(): ResolveTxt {
  const resolver = new Resolver({ timeout: 2_000, tries: 1 });
  return (name) => resolver.resolveTxt(name);
}

async function domainsOf(dkim: readonly DkimKey[], database: Database): Promise<string[]> {
  const granted = (await listGrants(database)).map(({ domain }) => domain).filter((domain) => domain !== anyDomain);
  const rows = await database.all<{ summary: string }>(
    'select summary from emails order by id desc limit ?',
    lastEmails,
  );
  const sent = rows.map(({ summary }) => envelopeAddress(JSON.parse(summary).from).split('@').pop() ?? '');
  const all = [...dkim.map(({ domain }) => domain), ...granted.map((domain) => domain.replace(/^\*\./, '')), ...sent];
  return [...new Set(all.map((domain) => domain.toLowerCase()))].filter((domain) => domain !== '');
}

/** Null: nobody answers. */
async function askAbout(domain: string, dkim: readonly DkimKey[], resolve: ResolveTxt): Promise<Finding | null> {
  const look = async (name: string) => textsOf(name, resolve);
  const [own, dmarc] = await Promise.all([look(domain), look(`_dmarc.${domain}`)]);
  if (own === null || dmarc === null) return null;
  const keys = dkim.filter((key) => key.domain === domain);
  const signed = await Promise.all(keys.map(async (key) => keyProblem(key, await look(nameOf(key)))));
  const problems = [
    own.some((text) => /^v=spf1\b/i.test(text)) ? null : `no SPF record (TXT ${domain}, v=spf1 …)`,
    keys.length > 0 ? null : 'no key of it in DKIM_KEYS, so the relay has to sign',
    ...signed,
    dmarc.some((text) => /^v=DMARC1\b/i.test(text)) ? null : `no DMARC record (TXT _dmarc.${domain}, v=DMARC1; p=none)`,
  ].filter((one) => one !== null);
  if (problems.length === 0) return ok(`DNS of ${domain}: SPF, DKIM and DMARC are there`);
  return note(`DNS of ${domain}: ${problems.join('; ')}. See docs/deploy.md, your domain`);
}

function nameOf({ selector, domain }: DkimKey): string {
  return `${selector}._domainkey.${domain}`;
}

/** Null where the record has this very key. */
function keyProblem(key: DkimKey, texts: string[] | null): string | null {
  const name = nameOf(key);
  const published = (texts ?? []).map((text) => /(?:^|;)\s*p=([^;]*)/.exec(text)?.[1]?.replace(/\s/g, '') ?? '');
  if (published.length === 0) return `no DKIM record (TXT ${name})`;
  const spki = createPublicKey(createPrivateKey(key.privateKeyPem)).export({ type: 'spki', format: 'der' });
  // RFC 8463 4: of an Ed25519 key the 32 bytes alone.
  const ours = [spki, spki.subarray(-32)].map((bytes) => bytes.toString('base64'));
  return published.some((one) => ours.includes(one)) ? null : `TXT ${name} has another key than DKIM_KEYS`;
}

/** Empty where the name has none; null where DNS does not answer. */
async function textsOf(name: string, resolve: ResolveTxt): Promise<string[] | null> {
  try {
    return (await resolve(name)).map((chunks) => chunks.join(''));
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException;
    return code === 'ENOTFOUND' || code === 'ENODATA' ? [] : null;
  }
}
