/** A domain that mail is sent from: the DNS records that make it credible, and what they are when somebody looks. */

import { domainToASCII } from 'node:url';

/** As Resend's API names them. */
export type DomainStatus = 'not_started' | 'pending' | 'verified' | 'failed';

/** `temporary_failure`: DNS did not answer. */
export type RecordStatus = DomainStatus | 'temporary_failure';

/** A receiver takes the signature it can check: each key has a record of its own. */
export type RecordKind = 'dkim' | 'dkim_ed25519' | 'spf' | 'dmarc';

/** Names are whole ones, without a dot at the end. */
export type DnsRecord = { kind: RecordKind; name: string; value: string };

/** TXT records of a name, each put together from its pieces; none where there are none. @throws where DNS does not answer. */
export type FindTexts = (name: string) => Promise<string[]>;

/** One each for all domains made here: nobody has a record of these names yet. */
export const dkimSelectors = { rsa: 'sendonce', ed25519: 'sendonce-ed25519' } as const;

export type DomainKey = {
  selector: string;
  algorithm: 'rsa' | 'ed25519';
  /** In Base64: SubjectPublicKeyInfo of RSA, the 32 bytes alone of Ed25519 (RFC 8463 4). */
  publicKey: string;
};

/** Of a public key as SubjectPublicKeyInfo, in DER. */
export function domainKeyOf(algorithm: DomainKey['algorithm'], selector: string, spki: Uint8Array): DomainKey {
  const bytes = algorithm === 'rsa' ? spki : spki.subarray(-32);
  return { selector, algorithm, publicKey: Buffer.from(bytes).toString('base64') };
}

export const domainRule = 'It must be a domain, as `example.com`.';

/** In lower case and ASCII; null where it is none, or has no dot. */
export function parseDomain(text: string): string | null {
  const domain = domainToASCII(text.trim()).toLowerCase();
  const labels = domain.split('.');
  const isDomain =
    domain.length <= 253 &&
    labels.length > 1 &&
    labels.every((label) => /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/.test(label));
  return isDomain ? domain : null;
}

/**
 * What to put into DNS. RFC 6376 3.6.1, RFC 8463 4, RFC 7208 4.5, RFC 7489 6.3.
 * @param senders SPF mechanisms of the relays, such as `include:amazonses.com`; without any there is no SPF record to recommend.
 */
export function recordsOf(domain: string, keys: readonly DomainKey[], senders: readonly string[]): DnsRecord[] {
  const spf: DnsRecord[] =
    senders.length === 0 ? [] : [{ kind: 'spf', name: domain, value: `v=spf1 ${senders.join(' ')} ~all` }];
  return [
    ...keys.map(({ selector, algorithm, publicKey }): DnsRecord => {
      const kind = algorithm === 'rsa' ? 'dkim' : 'dkim_ed25519';
      const value = `v=DKIM1; k=${algorithm}; p=${publicKey}`;
      return { kind, name: `${selector}._domainkey.${domain}`, value };
    }),
    ...spf,
    { kind: 'dmarc', name: `_dmarc.${domain}`, value: 'v=DMARC1; p=none;' },
  ];
}

/** Whether one of the TXT records found under its name does what the wanted one would. */
export function isSeen({ kind, value }: DnsRecord, found: readonly string[]): boolean {
  switch (kind) {
    case 'dkim':
    case 'dkim_ed25519':
      return found.some(
        (text) => isKeyRecord(text, kind === 'dkim' ? 'rsa' : 'ed25519') && keyIn(text) === keyIn(value),
      );
    case 'spf': {
      const wanted = mechanismsOf(value).filter((one) => !one.endsWith('all'));
      return found.some((text) => /^v=spf1( |$)/i.test(text) && includesAll(mechanismsOf(text), wanted));
    }
    case 'dmarc':
      return found.some((text) => /^v=DMARC1\s*;/i.test(text));
  }
}

/** RFC 6376 3.6.1: a version comes first, and is this one; without a kind of key it is RSA. */
function isKeyRecord(text: string, algorithm: DomainKey['algorithm']): boolean {
  const tags = tagsOf(text);
  const [first] = tags.keys();
  const isOurVersion = !tags.has('v') || (first === 'v' && tags.get('v') === 'DKIM1');
  return (
    isOurVersion && (tags.get('k') ?? 'rsa') === algorithm && [...tags.keys()].every((name) => /^[a-z]\w*$/i.test(name))
  );
}

function keyIn(text: string): string | undefined {
  return tagsOf(text).get('p');
}

/** RFC 6376 3.2: white space within a value means nothing. */
function tagsOf(text: string): Map<string, string> {
  const tags = text.split(';').filter((tag) => tag.trim() !== '');
  return new Map(
    tags.map((tag) => {
      const [name = '', ...rest] = tag.split('=');
      return [name.trim(), rest.join('=').replace(/\s/g, '')];
    }),
  );
}

function mechanismsOf(text: string): string[] {
  return text.toLowerCase().split(/\s+/).slice(1).filter(Boolean);
}

function includesAll(all: readonly string[], wanted: readonly string[]): boolean {
  return wanted.every((one) => all.includes(one) || all.includes(`+${one}`));
}

/** What the well-known services say to put into SPF; any other relay is allowed by its name. */
const senderOf: readonly [host: RegExp, mechanism: string][] = [
  [/\.amazonaws\.com$/, 'include:amazonses.com'],
  [/(^|\.)postmarkapp\.com$/, 'include:spf.mtasv.net'],
  [/(^|\.)mailgun\.org$/, 'include:mailgun.org'],
  [/(^|\.)sendgrid\.net$/, 'include:sendgrid.net'],
  [/(^|\.)brevo\.com$/, 'include:spf.brevo.com'],
  [/(^|\.)office365\.com$/, 'include:spf.protection.outlook.com'],
  [/(^|\.)(gmail|google)\.com$/, 'include:_spf.google.com'],
];

/** Hosts of relays, to the mechanisms that allow them. Addresses and names without a dot are nobody's in DNS. */
export function spfSenders(hosts: readonly string[]): string[] {
  const named = hosts.filter((host) => parseDomain(host) !== null && !/^[\d.]+$/.test(host));
  return [...new Set(named.map((host) => senderOf.find(([known]) => known.test(host))?.[1] ?? `a:${host}`))];
}

/** Since a check was asked for: after that a record that is not there will not come by itself. */
const pendingMsMax = 72 * 60 * 60_000;
const soonestMs = 60_000;
const latestMs = 60 * 60_000;
const verifiedMs = 24 * 60 * 60_000;

/** What a domain is after a look at its DKIM record, and when to look again; null: when somebody asks. */
export function afterLook(
  { askedAt, now }: { askedAt: number; now: number },
  dkim: RecordStatus,
): { status: DomainStatus; checkAt: number | null } {
  if (dkim === 'verified') return { status: 'verified', checkAt: now + verifiedMs };
  const waited = now - askedAt;
  if (waited >= pendingMsMax) return { status: 'failed', checkAt: null };
  // As long again as it has been waited for: a minute at first, an hour at last.
  return { status: 'pending', checkAt: now + Math.min(latestMs, Math.max(soonestMs, waited)) };
}
