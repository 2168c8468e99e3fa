/** Recipient domains that put off what a relay brings them: left alone for a while, then tried with one mail at a time. */

import type { EnvelopeReply, Outcome } from '../../core/outcome.ts';
import { recipientDomains } from '../../core/rate.ts';
import type { Reply, Said } from '../../core/reply.ts';

/** Domains throttle by these (RFC 5321 4.2.3); what they say of one mailbox alone (RFC 3463 3.3) is not about the others. */
const throttleCodes: readonly (number | null)[] = [421, 450, 451, 452];
const ofOneMailbox = /^4\.2\.[12]$/;

/** So many mails in a row are no accident. */
const inARowMin = 3;

const restMs = { first: 30_000, most: 15 * 60_000 };

/** More domains at odds with us are forgotten, the oldest first: they only have to say so again. */
const domainsMax = 10_000;

type Rest = { inARow: number; until: number; ms: number; underWay: number };

/** By key of the rates (`core/rate.ts`). */
export class DomainRests {
  readonly #rests = new Map<string, Rest>();

  /** True: nothing may go there now. `taken`: what the claim that asks has given away. */
  isResting(key: string, now: number, taken: number): boolean {
    const rest = this.#rests.get(key);
    if (!rest || rest.inARow < inARowMin) return false;
    return now < rest.until || rest.underWay + taken > 0;
  }

  begin(key: string): void {
    const rest = this.#rests.get(key);
    if (rest) rest.underWay += 1;
  }

  end(key: string): void {
    const rest = this.#rests.get(key);
    if (rest) rest.underWay = Math.max(0, rest.underWay - 1);
  }

  learn(key: string, isPutOff: boolean, now: number): void {
    if (!isPutOff) {
      this.#rests.delete(key);
      return;
    }
    const rest = this.#rests.get(key) ?? { inARow: 0, until: 0, ms: 0, underWay: 0 };
    rest.inARow += 1;
    // Those that were under way when it began to rest tell nothing more.
    if (rest.inARow >= inARowMin && now >= rest.until) {
      rest.ms = Math.min(Math.max(rest.ms * 2, restMs.first), restMs.most);
      rest.until = now + rest.ms;
    }
    this.#rests.set(key, rest);
    const [oldest] = this.#rests.keys();
    if (oldest !== undefined && this.#rests.size > domainsMax) this.#rests.delete(oldest);
  }

  /** When the next one may be tried again. */
  nextAfter(now: number): number {
    return Math.min(...[...this.#rests.values()].map(({ until }) => until).filter((until) => until > now));
  }
}

/** By domain, whether it put all its recipients of this mail off; what was not asked of it says nothing. */
export function signsOf(
  outcome: Outcome,
  envelope: EnvelopeReply | null,
  to: readonly string[] = [],
): Map<string, boolean> {
  if (outcome.phase === 'unreached' && outcome.isDomainAway) {
    return new Map(recipientDomains(to).map((domain) => [domain, true]));
  }
  const refused = envelope?.refused ?? (outcome.phase === 'refused' && !outcome.isOneReply ? outcome.refused : []);
  const signs = new Map<string, boolean>();
  const tell = (address: string, isPutOff: boolean) => {
    const domain = address.slice(address.lastIndexOf('@') + 1).toLowerCase();
    signs.set(domain, isPutOff && (signs.get(domain) ?? true));
  };
  for (const { address, reply } of refused) tell(address, isThrottled(reply.said) && !isGreylisted(reply));
  if (outcome.phase !== 'verdict' || !envelope) return signs;
  const { said } = outcome.reply;
  const domains = new Set(envelope.accepted.map((one) => one.slice(one.lastIndexOf('@') + 1).toLowerCase()));
  // Said once about several, it may be about any of them, or about the relay.
  if (said.class === 'transient' && domains.size > 1) return signs;
  for (const address of envelope.accepted) tell(address, isThrottled(said));
  return signs;
}

/** Each sender and recipient is put off once: the next mail would be, too, and those that were tried get through at their time. */
function isGreylisted({ text }: Reply): boolean {
  return /gr[ea]y.?list/i.test(text);
}

function isThrottled({ class: kind, code, enhanced, simulated }: Said): boolean {
  return kind === 'transient' && !simulated && throttleCodes.includes(code) && !ofOneMailbox.test(enhanced ?? '');
}
