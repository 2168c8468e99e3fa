/** The boundary of hand-off: what an adapter that speaks to the outside must do, and the gate it must pass. */

import type { DsnAsked } from '../core/dsn.ts';
import type { EnvelopeReply, Outcome } from '../core/outcome.ts';
import type { Pieces } from '../core/pieces.ts';
import type { Reply } from '../core/reply.ts';
import type { Returns } from '../core/return-path.ts';
import type { EmailToCompose } from '../store/mail/email-to-compose.ts';

export type Envelope = { from: string; to: string[] };

/**
 * The durable, fenced commit that must succeed before the final dot may leave.
 * Resolves true once it has committed; false when no row matched. Rejects when the result is an error or unknown.
 * `isPlain`: it is `plain` that leaves.
 */
export type Gate = (reply: EnvelopeReply, isPlain?: boolean) => Promise<boolean>;

export type Shipment = {
  envelope: Envelope;
  /** The whole message, CRLF line ends, without dot-stuffing. */
  pieces: Pieces;
  /** What leaves instead to a relay without SMTPUTF8, to recipients that do not need it. Absent: the same. */
  plain?: Pieces | null;
  /** Identifies this delivery at the relay (the key at an upstream), printable ASCII. */
  envelopeId: string;
  /** What a relay that offers DSN is asked for (RFC 3461). Absent: nothing but that it names the delivery. */
  returns?: Pick<Returns, 'envelopeId' | 'notify'> & Partial<Pick<Returns, 'address'>>;
  /** What the client that wrote it asked for itself. */
  asked?: DsnAsked | undefined;
  /** What the bytes were made of, for relays that are told in words of their own. Null: it is gone. */
  readMail?: () => Promise<EmailToCompose | null>;
};

export interface Relay {
  /** How logs and events name it; never contains a password. */
  readonly name: string;
  /** How many shipments it is worth having under way at once. */
  readonly concurrency: number;
  /** It takes shipments whose recipients are all of one domain. */
  readonly isByDomain?: true;
  /** Tries once. Never throws: every failure is an outcome. Sends the final dot only after `gate` resolved true. */
  ship(shipment: Shipment, gate: Gate): Promise<Outcome>;
  /** How long after a request the same one, under its key, is answered without being done twice. Absent: it has no keys. */
  readonly repeatsForMs?: number;
  /** How long after its gate a request of another process may be repeated at the earliest: it may still be under way. */
  readonly repeatsAfterMs?: number;
  /** Asks the same again, where it has keys: what became of the first request. Null: nothing was learned. Never throws. */
  repeat?(shipment: Shipment): Promise<Outcome | null>;
  /** Whether it can be reached, by a session for nothing else. Null: it can; otherwise why not. Never rejects. */
  probe?(): Promise<Reply | null>;
  /** As `close`, once nothing is under way any more, but an overdue verdict is still listened to. */
  retire?(): Promise<void>;
  /** Resolves when idle sessions are closed; shipments under way are waited for by the caller. */
  close(): Promise<void>;
}

/** Same on every attempt, so that a DSN names the delivery it is about (RFC 3461 4.4). */
export function envelopeId({ emailId, part }: { emailId: string; part: number }): string {
  return `${emailId}.${part}`;
}
