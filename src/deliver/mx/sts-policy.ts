/** MTA-STS (RFC 8461): what a domain asks of those who bring it mail, read over HTTPS and kept for as long as it says. */

import type { Egress } from '../../egress/egress.ts';
import type { MailDns } from '../../egress/mail-dns.ts';

/** Only `enforce` changes what is done. `mx`: hosts, or `*.` before what they end in. */
export type StsPolicy = { mode: 'enforce' | 'testing' | 'none'; mx: readonly string[]; maxAgeMs: number };

/** The policy of a domain that is in force. Null: it has none, or nobody could say. */
export type FindPolicy = (domain: string) => Promise<StsPolicy | null>;

type Kept = { id: string; policy: StsPolicy; until: number };

export type PolicyOptions = {
  dns: Pick<MailDns, 'texts'>;
  /** Resolves and refuses addresses as mail does. */
  egress: Pick<Egress, 'request'>;
  port: number;
};

/** Section 3.2: a longer one is no policy. */
const limits = { maxBytes: 64 * 1024, timeoutMs: 10_000 };
/** Section 3.3: a policy that cannot be read is asked for again after five minutes at the earliest. */
const askAgainMs = 5 * 60_000;
/** Section 3.2: about a year. */
const maxAgeMax = 31_557_600;
const keptMax = 10_000;

/** Section 5.1: what is kept stays in force while a newer one cannot be found. */
export function createFindPolicy({ dns, egress, port }: PolicyOptions): FindPolicy {
  const kept = new Map<string, Kept>();
  const askAt = new Map<string, number>();

  async function fetchPolicy(domain: string): Promise<StsPolicy | null> {
    const at = port === 443 ? '' : `:${port}`;
    const url = `https://mta-sts.${domain}${at}/.well-known/mta-sts.txt`;
    const answer = await egress.request({ method: 'GET', url, ...limits });
    if (answer.kind !== 'ok' || answer.status !== 200 || answer.truncated) return null;
    return parsePolicy(Buffer.from(answer.bytes).toString());
  }

  return async (domain) => {
    const now = performance.now();
    const known = kept.get(domain);
    const inForce = known && now < known.until ? known : null;
    const id = await findId(dns, domain);
    if (id === null || id === inForce?.id) return inForce?.policy ?? null;
    if (now < (askAt.get(domain) ?? 0)) return inForce?.policy ?? null;
    remember(askAt, domain, now + askAgainMs);
    const policy = await fetchPolicy(domain);
    if (!policy) return inForce?.policy ?? null;
    askAt.delete(domain);
    remember(kept, domain, { id, policy, until: performance.now() + policy.maxAgeMs });
    return policy;
  };
}

/** Section 4.1: `*.` stands for one label. */
export function isNamed({ mx }: StsPolicy, host: string): boolean {
  return mx.some((pattern) => (pattern.startsWith('*.') ? host.replace(/^[^.]+/, '*') === pattern : host === pattern));
}

/** Null: it is no policy. */
export function parsePolicy(text: string): StsPolicy | null {
  const lines = text.split(/\r?\n/).map((line) => /^([a-z0-9_]+)\s*:\s*(.*?)\s*$/i.exec(line));
  const all = (key: string) => lines.flatMap((line) => (line?.[1] === key ? [line[2] ?? ''] : []));
  const [version] = all('version');
  const [mode] = all('mode');
  const [maxAge = ''] = all('max_age');
  const mx = all('mx').map((one) => one.toLowerCase());
  if (version !== 'STSv1' || !/^\d{1,10}$/.test(maxAge)) return null;
  if (mode !== 'enforce' && mode !== 'testing' && mode !== 'none') return null;
  if (mx.length === 0 && mode !== 'none') return null;
  return { mode, mx, maxAgeMs: Math.min(Number(maxAge), maxAgeMax) * 1_000 };
}

/** Section 3.1: one record, or there is none. */
async function findId(dns: PolicyOptions['dns'], domain: string): Promise<string | null> {
  const texts = await dns.texts(`_mta-sts.${domain}`).catch(() => []);
  const records = texts.filter((text) => /^v=STSv1\s*;/.test(text));
  const [, id = null] = /;\s*id\s*=\s*([a-z0-9]{1,32})\s*(;|$)/i.exec(records[0] ?? '') ?? [];
  return records.length === 1 ? id : null;
}

/** The oldest are forgotten. */
function remember<T>(map: Map<string, T>, key: string, value: T): void {
  map.delete(key);
  map.set(key, value);
  const [oldest] = map.keys();
  if (oldest !== undefined && map.size > keptMax) map.delete(oldest);
}
