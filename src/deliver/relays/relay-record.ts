/** What this process knows of one relay: whether it can be reached, who is on the way to it, and when it is asked again. */

import { type Blot, createBlot } from '../../core/blot.ts';
import type { EnvelopeReply, Outcome } from '../../core/outcome.ts';
import { outcomeName } from '../../core/outcome.ts';
import type { Reply } from '../../core/reply.ts';
import type { Gate, Relay, Shipment } from '../relay.ts';
import { blotRecipient, blotReply, blotted } from './blot.ts';

/** A relay of the settings. `terms`: all of them as text, to be compared when they are read again. */
export type KnownRelay = { name: string; terms: string; secrets: readonly string[]; open: () => Relay };

export type RelayWatch = {
  /** It could not be reached, for the first time since it could. */
  onRest: (record: RelayRecord) => void;
  /** It can be reached again, or is not paused any more. */
  onBack: (record: RelayRecord) => void;
  onOutcome: (name: string, outcome: string) => void;
};

/** From one failed session to the next try: a relay that is back is to be noticed within seconds. */
const restMs = [1_000, 2_000, 4_000, 5_000] as const;

/** A login that is refused again and again gets an account locked, and nobody mends it within seconds. */
const refusedLoginRestMs = 60_000;

/** Claimed and on the way to it for each of its sessions: the next mail is composed while the last one is answered. */
const onTheWayEach = 2;

export class RelayRecord {
  readonly name: string;
  readonly terms: string;
  readonly relay: Relay;
  readonly #blot: Blot;
  readonly #watch: RelayWatch;
  #failures = 0;
  #last: Reply | null = null;
  #probe: NodeJS.Timeout | null = null;
  #isClosed = false;
  #isPaused = false;
  #onTheWay = 0;
  #shipping = 0;
  #whenIdle: (() => void)[] = [];

  constructor({ name, terms, secrets, open }: KnownRelay, watch: RelayWatch) {
    this.name = name;
    this.terms = terms;
    this.relay = open();
    this.#blot = createBlot(secrets);
    this.#watch = watch;
  }

  get state(): 'up' | 'resting' | 'paused' {
    if (this.#isPaused) return 'paused';
    return this.#failures > 0 ? 'resting' : 'up';
  }

  get isOpen(): boolean {
    return this.state === 'up';
  }

  /** Why it is not open. */
  get reason(): string {
    if (this.#isPaused) return 'It is paused by an operator.';
    return `It rests since it could not be reached: ${this.#last?.text ?? ''}`;
  }

  get lastReply(): Reply | null {
    return this.#last;
  }

  /** How many more may be claimed for it. */
  get free(): number {
    return this.relay.concurrency * onTheWayEach - this.#onTheWay;
  }

  /** False while it has too few free places for a claim to be worth a commit. */
  get hasRoom(): boolean {
    return this.isOpen && this.free >= this.relay.concurrency / 2;
  }

  reserve(): void {
    this.#onTheWay += 1;
  }

  /** Of one that was reserved before the settings were read again this record knows nothing. */
  leave(): void {
    this.#onTheWay = Math.max(0, this.#onTheWay - 1);
  }

  async ship(shipment: Shipment, gate: Gate): Promise<Outcome> {
    this.#shipping += 1;
    try {
      const clean: Gate = (reply, isPlain) => gate(blotEnvelope(reply, this.#blot), isPlain);
      const outcome = blotted(await this.relay.ship(shipment, clean), this.#blot);
      this.#learn(outcome);
      return outcome;
    } finally {
      this.#shipping -= 1;
      if (this.#shipping === 0) for (const tell of this.#whenIdle.splice(0)) tell();
    }
  }

  /** What became of a request whose answer never came, asked under its key. Null: nothing was learned, or it has none. */
  async repeat(shipment: Shipment): Promise<Outcome | null> {
    const outcome = await (this.relay.repeat?.(shipment) ?? null);
    return outcome && blotted(outcome, this.#blot);
  }

  pause(isPaused: boolean): void {
    if (this.#isPaused === isPaused) return;
    this.#isPaused = isPaused;
    if (!isPaused && this.#failures === 0) this.#watch.onBack(this);
  }

  /** Asks it now instead of at its time. */
  retry(): void {
    if (this.#failures > 0) this.#ask();
  }

  /** What is under way ends as it would have; what comes after goes elsewhere. */
  async retire(): Promise<void> {
    this.#stopProbing();
    if (this.#shipping > 0) await new Promise<void>((resolve) => this.#whenIdle.push(resolve));
    await (this.relay.retire?.() ?? this.relay.close());
  }

  async close(): Promise<void> {
    this.#stopProbing();
    await this.relay.close();
  }

  #stopProbing(): void {
    this.#isClosed = true;
    if (this.#probe) clearTimeout(this.#probe);
  }

  #learn(outcome: Outcome): void {
    this.#watch.onOutcome(this.name, outcomeName(outcome));
    // Sessions that were ended here tell nothing of the relay, and nobody writes down any more what they would.
    if (this.#isClosed) return;
    if (outcome.phase === 'unreached' && outcome.isAway) this.#rest(outcome.reply);
    if (outcome.phase === 'verdict' || outcome.phase === 'refused') this.#back();
  }

  /** Mails that fail together have found out the same. */
  #rest(reply: Reply): void {
    this.#last = reply;
    if (this.#failures > 0) return;
    this.#failures = 1;
    this.#watch.onRest(this);
    this.#askLater();
  }

  #back(): void {
    if (this.#failures === 0) return;
    this.#failures = 0;
    if (this.#probe) clearTimeout(this.#probe);
    this.#probe = null;
    if (!this.#isPaused) this.#watch.onBack(this);
  }

  #askLater(): void {
    if (this.#isClosed || !this.relay.probe) return;
    const isLogin = this.#last?.said.problem === 'login';
    const ms = isLogin ? refusedLoginRestMs : (restMs[this.#failures - 1] ?? restMs[3]);
    this.#probe = setTimeout(() => this.#ask(), ms);
    this.#probe.unref();
  }

  #ask(): void {
    if (this.#probe) clearTimeout(this.#probe);
    this.#probe = null;
    void this.relay.probe?.().then((trouble) => {
      if (this.#isClosed || this.#failures === 0) return;
      if (trouble === null) return this.#back();
      this.#last = blotReply(trouble, this.#blot);
      this.#failures += 1;
      this.#askLater();
    });
  }
}

function blotEnvelope({ accepted, refused }: EnvelopeReply, blot: Blot): EnvelopeReply {
  return { accepted, refused: refused.map((one) => blotRecipient(one, blot)) };
}
