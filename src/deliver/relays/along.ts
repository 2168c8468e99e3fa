/** One attempt along the relays of its way: how it moves on from one to the next before its gate, and what it has come to. */

import { type EnvelopeReply, isPermanent, type Outcome } from '../../core/outcome.ts';
import { type PassedOver, passOver, type Tried } from '../../core/passed-over.ts';
import { noReply } from '../../core/reply.ts';
import type { Gate, Shipment } from '../relay.ts';
import { signsOf } from './domain-rests.ts';
import { isOnlyHere, nowhereElse, refusedBy, refusedToAll } from './only-here.ts';
import type { Hold } from './permits.ts';
import type { RelayRecord } from './relay-record.ts';

/** As `Gate`, for the relay this attempt has come to. */
export type TriedGate = (
  reply: Parameters<Gate>[0],
  isPlain: boolean | undefined,
  by: { tried: Tried; repeatsForMs: number | undefined },
) => Promise<boolean>;

/**
 * `waitsFor`: relays one of which would have to be back; null where waiting for one would change nothing. `isUntried`: none of
 * them was open.
 */
export type Shipped = { outcome: Outcome; tried: Tried; waitsFor: string | null; isUntried: boolean };

/** Why a relay may not be given a mail now, and what is waited for. */
export type NoPlace = { why: string; key: string };

export type Going = {
  gate: TriedGate;
  /** Relays that will never take it. */
  never: readonly PassedOver[];
  isRouted: boolean;
  /** Its place in the rates of a relay; null: there are none. */
  holdFor: (record: RelayRecord) => Hold | NoPlace | null;
  /** Told what domains made of it. */
  learn: (relay: string, signs: ReadonlyMap<string, boolean>) => void;
};

/** Tries the relays of the way in their order until one of them decides, or has asked for the gate. */
export async function shipAlong(way: readonly RelayRecord[], shipment: Shipment, going: Going): Promise<Shipped> {
  const { never } = going;
  const { to } = shipment.envelope;
  if (way.length === 0 && never.length > 0) return takenByNobody(never, to);
  const passedOver: PassedOver[] = [...never];
  const waits: string[] = [];
  let last: Shipped | null = null;
  let isWaiting = true;
  for (const record of way) {
    const place = placeAt(record, going);
    waits.push(place && 'why' in place ? place.key : record.name);
    if (place && 'why' in place) {
      passedOver.push(passOver(record.name, place.why));
      continue;
    }
    if (last) passedOver.push(passOver(last.tried.relay ?? '', wordsOf(last.outcome)));
    const tried: Tried = { relay: record.name, passedOver: [...passedOver] };
    const { outcome, wasAsked } = await tryOne(record, shipment, { going, tried, place });
    isWaiting &&= outcome.phase === 'unreached' && outcome.isAway === true;
    last = { outcome, tried, waitsFor: null, isUntried: false };
    if (isOnlyHere(outcome)) last = { ...last, tried: refusedBy(tried, outcome) };
    if (way.length === 1) last = { ...last, outcome: nowhereElse(outcome, { wasAsked, to }) };
    if (wasAsked || !movesOn(outcome)) return last;
  }
  const waitsFor = isWaiting ? waits.join(' ') : null;
  return last ? { ...last, waitsFor } : untried(passedOver, waitsFor);
}

function placeAt(record: RelayRecord, { isRouted, holdFor }: Going): Hold | NoPlace | null {
  const isShut = !record.isOpen && (isRouted || record.state === 'paused');
  return isShut ? { why: record.reason, key: record.name } : holdFor(record);
}

type Try = { going: Going; tried: Tried; place: Hold | null };

/** Its place counts unless nothing was said of this mail, nor may have been. */
async function tryOne(record: RelayRecord, shipment: Shipment, { going, tried, place }: Try) {
  let asked = null as EnvelopeReply | null;
  let isUsed = true;
  try {
    const outcome = await record.ship(shipment, (reply, isPlain) => {
      asked = reply;
      return going.gate(reply, isPlain, { tried, repeatsForMs: record.relay.repeatsForMs });
    });
    isUsed = asked !== null || mayCount(outcome);
    if (place) going.learn(record.name, signsOf(outcome, asked, shipment.envelope.to));
    return { outcome, wasAsked: asked !== null };
  } finally {
    place?.end(isUsed);
  }
}

/** All relays that are left of its route have refused it for good. */
function takenByNobody(never: readonly PassedOver[], to: readonly string[]): Shipped {
  const { relay = null, reason = '' } = never.at(-1) ?? {};
  const tried = { relay, passedOver: never };
  return { outcome: refusedToAll(reason, to), tried, waitsFor: null, isUntried: false };
}

/** Nothing was decided that another relay could not decide otherwise, and no gate was asked. */
function movesOn(outcome: Outcome): boolean {
  if (outcome.phase === 'unreached') return true;
  return outcome.phase === 'refused' && !outcome.refused.some(isPermanent);
}

/** The relay may have counted it: something was said of this mail, or may have been. */
function mayCount(outcome: Outcome): boolean {
  return outcome.phase !== 'unreached' || !(outcome.isAway || outcome.isDomainAway);
}

function untried(passedOver: PassedOver[], waitsFor: string | null): Shipped {
  const reasons = passedOver.map(({ relay, reason }) => `${relay}: ${reason}`).join(' ');
  const outcome = { phase: 'unreached' as const, reply: noReply(`None of its relays is open. ${reasons}`) };
  return { outcome, tried: { relay: null, passedOver }, waitsFor, isUntried: true };
}

function wordsOf(outcome: Outcome): string {
  if (outcome.phase === 'unreached') return outcome.reply.text;
  return outcome.phase === 'refused' ? (outcome.refused[0]?.reply.text ?? '') : '';
}
