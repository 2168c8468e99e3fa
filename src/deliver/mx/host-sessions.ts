/** SMTP sessions with many hosts: a few with each, kept for a moment, and never more under way at once than there are places. */

import type { Outcome } from '../../core/outcome.ts';
import type { Gate, Relay, Shipment } from '../relay.ts';
import { createSmtpRelay } from '../smtp.ts';
import type { SmtpOptions } from '../smtp-session.ts';

/** One address of one host. `isVerified`: its certificate has to be the host's, and nothing is said in plain text. */
export type Target = { host: string; address: string; isVerified: boolean };

export type HostSessionsOptions = Pick<SmtpOptions, 'port' | 'name' | 'tls' | 'localAddress'> & {
  concurrency: number;
  verdictTimeoutMs?: number | undefined;
};

/** Less than with a relay: there is seldom more for the same host, and many servers count sessions. */
const idleMs = 2_000;
/** Hosts are many, and some of them dead: RFC 5321 4.5.3.2.1 would wait for five minutes. */
const openMs = 30_000;
/** Addresses whose TLS fails are spoken to in plain text for so long. */
const plainMs = 60 * 60_000;
const keptMax = 1_000;

type Kept = { relay: Relay; shipping: number };

export class HostSessions {
  readonly #options: HostSessionsOptions;
  /** In the order they were last used. */
  readonly #kept = new Map<string, Kept>();
  readonly #plainUntil = new Map<string, number>();

  constructor(options: HostSessionsOptions) {
    this.#options = options;
  }

  /** Where TLS fails that nothing asks for, plain text is what there would have been without it. */
  async ship(target: Target, shipment: Shipment, gate: Gate): Promise<Outcome> {
    if (target.isVerified) return this.#shipBy('required', target, shipment, gate);
    const isPlain = performance.now() < (this.#plainUntil.get(target.address) ?? 0);
    const outcome = await this.#shipBy(isPlain ? 'never' : 'opportunistic', target, shipment, gate);
    if (isPlain || !isTlsTrouble(outcome)) return outcome;
    this.#rememberPlain(target.address);
    return this.#shipBy('never', target, shipment, gate);
  }

  async retire(): Promise<void> {
    await Promise.all([...this.#kept.values()].map(({ relay }) => relay.retire?.()));
  }

  async close(): Promise<void> {
    await Promise.all([...this.#kept.values()].map(({ relay }) => relay.close()));
  }

  async #shipBy(
    starttls: NonNullable<SmtpOptions['starttls']>,
    target: Target,
    shipment: Shipment,
    gate: Gate,
  ): Promise<Outcome> {
    const key = `${starttls} ${target.host} ${target.address}`;
    const kept = this.#kept.get(key) ?? { relay: this.#open(starttls, target), shipping: 0 };
    this.#kept.delete(key);
    this.#kept.set(key, kept);
    kept.shipping += 1;
    try {
      return await kept.relay.ship(shipment, gate);
    } finally {
      kept.shipping -= 1;
      this.#forgetSome();
    }
  }

  #open(starttls: NonNullable<SmtpOptions['starttls']>, { host, address, isVerified }: Target): Relay {
    const { port, name, tls, localAddress, concurrency, verdictTimeoutMs } = this.#options;
    return createSmtpRelay({
      host: address,
      port,
      secure: false,
      auth: null,
      starttls,
      tls: { servername: host, ...(isVerified ? tls : {}) },
      concurrency,
      idleMs,
      connectTimeoutMs: openMs,
      greetingTimeoutMs: openMs,
      ...(name === undefined ? {} : { name }),
      ...(localAddress === undefined ? {} : { localAddress }),
      ...(verdictTimeoutMs === undefined ? {} : { verdictTimeoutMs }),
    });
  }

  /** Overdue verdicts are still listened to: `retire` leaves them alone. */
  #forgetSome(): void {
    for (const [key, { relay, shipping }] of this.#kept) {
      if (this.#kept.size <= keptMax) return;
      if (shipping > 0) continue;
      this.#kept.delete(key);
      void relay.retire?.();
    }
  }

  #rememberPlain(address: string): void {
    this.#plainUntil.delete(address);
    this.#plainUntil.set(address, performance.now() + plainMs);
    const [oldest] = this.#plainUntil.keys();
    if (oldest !== undefined && this.#plainUntil.size > keptMax) this.#plainUntil.delete(oldest);
  }
}

function isTlsTrouble(outcome: Outcome): boolean {
  if (outcome.phase !== 'unreached' || !outcome.isAway) return false;
  const { problem } = outcome.reply.said;
  return problem === 'tls' || problem === 'not_tls' || problem === 'certificate';
}
