/** What clients, people and the relay of the lab have seen, and nothing that the server wrote down: what a judge may believe. */

/** Times by one clock, in milliseconds. `endedAt` null: no answer came, it may or may not have been done, and may yet be. */
type Span = { begunAt: number; endedAt: number | null };

/** One try of a request under a key. */
export type Call = Span & {
  key: string;
  body: string;
  /** `none`: nothing was accepted by this try as far as was said, or nothing was said. */
  saw: { kind: 'accepted'; ids: string } | { kind: 'conflict' } | { kind: 'none' };
};

/** `done`: said so; `refused`: said that it was not, and could not be; `unknown`: one or the other. */
type Outcome = 'done' | 'refused' | 'unknown';

export type Deed = { begunAt: number; endedAt: number; outcome: Outcome } & (
  | { kind: 'cancel'; ids: string[] }
  /** `to` by the clock of the mails. */
  | { kind: 'reschedule'; id: string; to: number }
  | { kind: 'answer'; id: string; answer: 'sent' | 'queued' | 'failed' }
  | { kind: 'suppress'; address: string }
);

/** Recipients of an email that was asked for; each address belongs to one. `id` null: nobody knows it. */
export type Mail = {
  id: string | null;
  /** A client was told that it is accepted. */
  isPromised: boolean;
  recipients: string[];
  scheduledAt: number | null;
  /** When its key was used for the first time. */
  askedAt: number;
};

/** What the relay saw of one recipient. `said`: what the dot was answered, as far as its sender can know; null: no dot. */
export type Seen = {
  recipient: string;
  /** Null: no dot. `email`: which one its Message-ID names. */
  dot: { email: string | null; at: number; mailClockAt: number; said: 'yes' | 'later' | 'no' | 'unclear' } | null;
  wasTaken: boolean;
  wasRefused: boolean;
};

export type History = {
  calls: Call[];
  deeds: Deed[];
  mails: Mail[];
  seen: Seen[];
  /** Ids that were shown as in doubt once all was over. */
  shown: ReadonlySet<string>;
  /** What endpoints have missed, where they were to be told of everything. */
  untold?: readonly string[];
  /** How long a key is sure to be remembered. */
  keyLifetimeMs: number;
  /** How far clocks may differ, by the clock of the mails. */
  toleranceMs: number;
};
