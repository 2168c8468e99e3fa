/** What a move may be given for its edge, and the parameters of its statement made of that. */

import type { EdgeName, edges } from '../../core/delivery.ts';
import type { Tried } from '../../core/passed-over.ts';
import type { Words } from '../../core/reply.ts';
import { expiresAt } from '../../core/retry.ts';
import type { SqlValue } from '../database.ts';
import type { EventDetail } from './events.ts';

type Values = {
  run_at: number;
  reply: Words;
  recipients: string[];
  worker: string;
  gated_at: number;
  content_hash: Uint8Array | null;
  give_up_at: number;
  held_until: number;
  held_again: number;
  tried: Tried;
  /** Null: it waits for its time. */
  waits_for: string | null;
  repeat_until: number | null;
  no_repeats: never;
  upstream_id: string | null;
};

type SetBy<Name extends EdgeName> = Exclude<(typeof edges)[Name]['sets'][number] & keyof Values, 'no_repeats'>;
type FenceOf<Name extends EdgeName> = (typeof edges)[Name]['fence'];

/** Which delivery: one part of an email, or all parts that are in a state the edge leaves. */
export type Place = { account: string; emailId: string; part?: number };

export type Terms<Name extends EdgeName> = { [Column in SetBy<Name>]: Values[Column] } & {
  /** When it happens, for the event. */
  now: number;
  /** What is worth knowing beside recipients and reply. */
  detail?: Pick<EventDetail, 'replies' | 'each' | 'origin' | 'scheduled_at' | 'was'>;
} & (FenceOf<Name> extends 'state' ? unknown : { fence: number });

/** One by one: an object of all of them, made of pieces, was a thirtieth of what a delivery costs. */
export function parameterOf(name: string, terms: Told, place: Place): SqlValue | undefined {
  const { reply, tried, recipients, held_until: heldUntil } = terms;
  switch (name) {
    case 'account':
      return place.account;
    case 'email_id':
      return place.emailId;
    case 'part':
      return place.part;
    case 'relay':
      return tried?.relay;
    case 'passed_over':
      return tried && tried.passedOver.length > 0 ? JSON.stringify(tried.passedOver) : null;
    case 'reply':
      return reply?.text;
    case 'said':
      return reply?.said && JSON.stringify(reply.said);
    case 'recipients':
      return recipients && JSON.stringify(recipients);
    case 'recipient_count':
      return recipients?.length;
    case 'expires_at':
      return heldUntil && expiresAt(heldUntil, null);
    default:
      return terms[name as PlainColumn];
  }
}

/** What any edge may be given. */
export type Told = Partial<Values> & { now: number; fence?: number; detail?: Partial<EventDetail> };

/** Its value is its parameter. */
type PlainColumn = Exclude<keyof Values, 'reply' | 'tried' | 'recipients' | 'no_repeats'> | 'fence';
