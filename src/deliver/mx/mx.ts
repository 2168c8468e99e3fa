/** The relay that is none: each mail goes to the servers of its recipients' domain, in the order DNS names them. */

import { isIPv6 } from 'node:net';
import type { ConnectionOptions } from 'node:tls';
import type { Outcome } from '../../core/outcome.ts';
import { recipientDomains } from '../../core/rate.ts';
import { noReply, type Reply } from '../../core/reply.ts';
import { type AddressPolicy, createAddressPolicy } from '../../egress/address.ts';
import { createEgress } from '../../egress/egress.ts';
import { createMailDns, type MailDns } from '../../egress/mail-dns.ts';
import type { Gate, Relay, Shipment } from '../relay.ts';
import { HostSessions, type Target } from './host-sessions.ts';
import { findMailHosts, wordsOf } from './mail-hosts.ts';
import { Places } from './places.ts';
import { createFindPolicy, type FindPolicy, isNamed, type StsPolicy } from './sts-policy.ts';

export type MxOptions = {
  /** Instead of the system's resolvers. */
  dns?: readonly string[];
  port: number;
  stsPort: number;
  /** Addresses that are not public, and are spoken to all the same. */
  allow: readonly string[];
  name?: string;
  source?: string;
  /** Where a policy asks for a certificate. */
  tls?: ConnectionOptions;
  concurrency: number;
  verdictTimeoutMs?: number | undefined;
};

/** RFC 5321 5.1 asks for two at least; a domain that names hundreds would make us knock at hundreds of doors. */
const addressesMax = 8;
/** No further address is tried after so long: the mail has its back-off, and others want the place. */
const tryForMs = 2 * 60_000;

export function createMxRelay(options: MxOptions): Relay {
  return new MxRelay(options);
}

class MxRelay implements Relay {
  readonly name = 'mx:';
  readonly concurrency: number;
  readonly isByDomain = true;
  readonly #source: string | undefined;
  readonly #dns: MailDns;
  readonly #isAllowed: AddressPolicy;
  readonly #findPolicy: FindPolicy;
  readonly #sessions: HostSessions;
  readonly #places: Places;

  constructor({ dns, port, stsPort, allow, name, source, tls, concurrency, verdictTimeoutMs }: MxOptions) {
    this.concurrency = concurrency;
    this.#source = source;
    this.#places = new Places(concurrency);
    this.#dns = createMailDns(dns);
    this.#isAllowed = createAddressPolicy(allow);
    const trust = Array.isArray(tls?.ca) ? { trust: tls.ca.map(String) } : {};
    const egress = createEgress({ allow, resolve: (host) => this.#dns.addresses(host), ...trust });
    this.#findPolicy = createFindPolicy({ dns: this.#dns, egress, port: stsPort });
    const terms = { port, concurrency, verdictTimeoutMs };
    const own = { ...(name === undefined ? {} : { name }), ...(source === undefined ? {} : { localAddress: source }) };
    this.#sessions = new HostSessions({ ...terms, ...own, ...(tls ? { tls } : {}) });
  }

  async ship(shipment: Shipment, gate: Gate): Promise<Outcome> {
    const [domain = '', ...others] = recipientDomains(shipment.envelope.to);
    if (others.length > 0) return unreached('Its recipients are in several domains.');
    const found = await findMailHosts(this.#dns, domain, Math.random);
    if ('refused' in found) return refusedForGood(shipment, found.refused);
    if ('unknown' in found) return (await this.#withoutDns()) ?? unreached(found.unknown);
    const policy = await this.#findPolicy(domain);
    const leave = await this.#places.enter();
    try {
      return await new Search(this, { domain, hosts: found.hosts, policy }).ship(shipment, gate);
    } finally {
      leave();
    }
  }

  async probe(): Promise<Reply | null> {
    return (await this.#dns.isThere()) ? null : noResolver;
  }

  async retire(): Promise<void> {
    await this.#sessions.retire();
  }

  async close(): Promise<void> {
    await this.#sessions.close();
  }

  /** Those of a host that may be spoken to. @throws NoSuchName, or what the resolver said. */
  async addressesOf(host: string): Promise<{ open: string[]; isPrivate: boolean }> {
    const all = await this.#dns.addresses(host);
    const open = all.filter((one) => this.#isAllowed(one) && this.#isReachable(one));
    return { open, isPrivate: all.length > 0 && !all.some((one) => this.#isAllowed(one)) };
  }

  shipTo(target: Target, shipment: Shipment, gate: Gate): Promise<Outcome> {
    return this.#sessions.ship(target, shipment, gate);
  }

  /** That no resolver answers is no domain's fault: all mail waits for one, and goes when it is back. */
  async #withoutDns(): Promise<Outcome | null> {
    return (await this.#dns.isThere()) ? null : { phase: 'unreached', reply: noResolver, isAway: true };
  }

  #isReachable(address: string): boolean {
    return this.#source === undefined || isIPv6(this.#source) === isIPv6(address);
  }
}

const noResolver = noReply('No DNS resolver answers.', 'no_resolver');

type Hosts = Pick<MxRelay, 'addressesOf' | 'shipTo'>;

type Way = { domain: string; hosts: readonly string[]; policy: StsPolicy | null };

/** One mail's walk along the hosts of its domain, until one decides or the gate was asked. */
class Search {
  readonly #relay: Hosts;
  readonly #way: Way;
  readonly #until = performance.now() + tryForMs;
  /** What came of each host that did not take it. */
  readonly #words: string[] = [];
  #last: Outcome | null = null;
  #tried = 0;
  /** Something may be otherwise at another time. */
  #mayChange = false;
  #wasAsked = false;

  constructor(relay: Hosts, way: Way) {
    this.#relay = relay;
    this.#way = way;
  }

  async ship(shipment: Shipment, gate: Gate): Promise<Outcome> {
    const opening: Gate = (...asked) => {
      this.#wasAsked = true;
      return gate(...asked);
    };
    const { policy } = this.#way;
    for (const host of this.#way.hosts) {
      if (policy?.mode === 'enforce' && !isNamed(policy, host)) {
        this.#say(host, 'is not in the policy of the domain (MTA-STS, RFC 8461)');
        continue;
      }
      for (const address of await this.#addressesOf(host)) {
        if (this.#tried >= addressesMax || performance.now() > this.#until) break;
        const target = { host, address, isVerified: policy?.mode === 'enforce' };
        const outcome = await this.#try(target, shipment, opening);
        if (outcome) return outcome;
      }
    }
    return this.#ended(shipment);
  }

  /** Null: another host may do better. */
  async #try(target: Target, shipment: Shipment, gate: Gate): Promise<Outcome | null> {
    this.#tried += 1;
    this.#last = await this.#relay.shipTo(target, shipment, gate);
    if (this.#wasAsked || !isElsewhere(this.#last)) return delivered(this.#last);
    this.#say(target.host, `[${target.address}] ${textOf(this.#last)}`);
    return null;
  }

  async #addressesOf(host: string): Promise<string[]> {
    try {
      const { open, isPrivate } = await this.#relay.addressesOf(host);
      if (isPrivate) this.#say(host, 'has only addresses that are not public', false);
      else if (open.length === 0) this.#say(host, 'has no address', false);
      return open;
    } catch (error) {
      const isGone = error instanceof Error && error.name === 'NoSuchName';
      this.#say(host, isGone ? 'does not exist' : `has no address that DNS would tell (${wordsOf(error)})`, !isGone);
      return [];
    }
  }

  #say(host: string, words: string, mayChange = true): void {
    this.#words.push(`${host} ${words}`);
    this.#mayChange ||= mayChange;
  }

  #ended(shipment: Shipment): Outcome {
    // Every host puts off all its mail: that is an answer.
    if (this.#last?.phase === 'refused') return this.#last;
    const { domain } = this.#way;
    const words = this.#words.join('; ');
    if (this.#mayChange)
      return { ...unreached(`No mail server of ${domain} took a session: ${words}.`), isDomainAway: true };
    return refusedForGood(shipment, { text: `${domain} has no mail server: ${words}.`, enhanced: '5.4.4' });
  }
}

function unreached(text: string): Outcome & { phase: 'unreached' } {
  return { phase: 'unreached', reply: noReply(text), isDomainAway: true };
}

/** No session, or one that ended; and 421, which is said of the host and not of the mail (RFC 5321 3.8). */
function isElsewhere(outcome: Outcome): boolean {
  if (outcome.phase === 'unreached') return true;
  return outcome.phase === 'refused' && outcome.refused.every(({ reply }) => reply.said.code === 421);
}

/** It is the recipients' own server that has taken it. */
function delivered(outcome: Outcome): Outcome {
  if (outcome.phase === 'verdict' && outcome.reply.said.class === 'ok') return { ...outcome, isDelivered: true };
  if (outcome.phase !== 'in_doubt' || !outcome.late) return outcome;
  return { ...outcome, late: outcome.late.then(delivered) };
}

function refusedForGood({ envelope }: Shipment, { text, enhanced }: { text: string; enhanced: string }): Outcome {
  const reply = { text, said: { class: 'permanent' as const, code: null, enhanced } };
  return { phase: 'refused', refused: envelope.to.map((address) => ({ address, reply })), isOneReply: true };
}

function textOf(outcome: Outcome): string {
  if (outcome.phase === 'unreached') return outcome.reply.text;
  return outcome.phase === 'refused' ? (outcome.refused[0]?.reply.text ?? '') : '';
}
