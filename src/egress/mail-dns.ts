/** What DNS says of the way to a domain: its MX, addresses of hosts, and texts; asked once and remembered for a minute. */

import { Resolver } from 'node:dns/promises';

export type MxRecord = { host: string; priority: number };

/** Each is empty where the name exists without such a record. @throws NoSuchName; anything else: nobody could say. */
export type MailDns = {
  mx(domain: string): Promise<MxRecord[]>;
  /** IPv4 before IPv6. */
  addresses(host: string): Promise<string[]>;
  texts(name: string): Promise<string[]>;
  /** Whether a resolver answers at all, whatever it says. */
  isThere(): Promise<boolean>;
};

/** There is no such name, says a resolver that knows. */
export class NoSuchName extends Error {
  override readonly name = 'NoSuchName';
}

/** Until it is asked again: short beside any TTL, long beside a burst of mail to one domain. */
const rememberMs = 60_000;
/** What nobody could say is asked again soon, and not by each of ten thousand mails. */
const rememberFailureMs = 5_000;
const rememberedMax = 10_000;
/** Codes of a question that nobody has answered. */
const silent = ['ETIMEOUT', 'ECONNREFUSED', 'ECANCELLED', 'ENOTINITIALIZED'];
const patience = { timeout: 2_000, tries: 3 };

/** `servers`: instead of the system's, as `127.0.0.1:53`. */
export function createMailDns(servers: readonly string[] = []): MailDns {
  const resolver = new Resolver(patience);
  if (servers.length > 0) resolver.setServers(servers);
  const mx = (domain: string) => answered(() => resolver.resolveMx(domain));
  const texts = (name: string) => answered(() => resolver.resolveTxt(name));
  return {
    mx: remembered(async (domain) =>
      (await mx(domain)).map(({ exchange, priority }) => ({
        host: exchange.replace(/\.$/, '').toLowerCase(),
        priority,
      })),
    ),
    addresses: remembered((host) => addressesOf(resolver, host)),
    isThere: async () => {
      const error: unknown = await resolver.resolveNs('.').then(null, (reason) => reason);
      return !silent.includes((error as NodeJS.ErrnoException | undefined)?.code ?? '');
    },
    texts: remembered(async (name) => (await texts(name)).map((pieces) => pieces.join(''))),
  };
}

/** Where one family is known, that the other one is not is no reason to wait. */
async function addressesOf(resolver: Resolver, host: string): Promise<string[]> {
  const families = await Promise.allSettled([
    answered(() => resolver.resolve4(host)),
    answered(() => resolver.resolve6(host)),
  ]);
  const found = families.flatMap((one) => (one.status === 'fulfilled' ? one.value : []));
  const failed = families.find((one) => one.status === 'rejected');
  if (found.length === 0 && failed) throw failed.reason;
  return found;
}

async function answered<T>(ask: () => Promise<T[]>): Promise<T[]> {
  try {
    return await ask();
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException;
    if (code === 'ENODATA') return [];
    if (code === 'ENOTFOUND' || code === 'EBADNAME') throw new NoSuchName('There is no such name.', { cause: error });
    throw error;
  }
}

type Remembered<T> = { answer: Promise<T[]>; until: number };

/** Those who ask while it is being asked wait for the same answer. */
function remembered<T>(ask: (name: string) => Promise<T[]>): (name: string) => Promise<T[]> {
  const known = new Map<string, Remembered<T>>();
  return (name) => {
    const now = performance.now();
    const found = known.get(name);
    if (found && now < found.until) return found.answer;
    const one: Remembered<T> = { answer: ask(name), until: now + rememberMs };
    one.answer.catch((error: unknown) => {
      if (!(error instanceof NoSuchName)) one.until = Math.min(one.until, performance.now() + rememberFailureMs);
    });
    known.delete(name);
    known.set(name, one);
    const [oldest] = known.keys();
    if (oldest !== undefined && known.size > rememberedMax) known.delete(oldest);
    return one.answer;
  };
}
