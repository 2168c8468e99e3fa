/** Who takes a mail that arrives: each recipient is asked after in turn, and the whole mail goes to the one that took its recipients. */

import type { DsnAsked } from '../core/dsn.ts';
import type { Caller } from '../http/auth.ts';
import type { Body } from '../http/bodies.ts';

/** One mail on its way in, from MAIL on. */
export type Transaction = {
  /** Its name in the log, as requests over HTTP have one. */
  id: string;
  /** Null: nobody has signed in. */
  caller: Caller | null;
  client: Client;
  /** Empty: nobody is to be told of bounces. */
  from: string;
  /** Accepted so far, each once. */
  to: string[];
  /** As MAIL says; 0: it says nothing. */
  declaredBytes: number;
  /** What its client asks to be notified of (RFC 3461). */
  dsn: DsnAsked;
};

/** The other end of a connection. */
export type Client = {
  address: string;
  /** What it calls itself in EHLO. */
  name: string;
  /** How its mail comes (RFC 3848), for the trace. */
  protocol: string;
};

export type Intake = {
  /** What its mails may have at most. */
  bytesMax: number;
  /** Whether it may take something from who has not signed in; left out where it may. */
  isOpen?(): boolean | Promise<boolean>;
  /** False: it is none of this intake's. @throws AppError where it is, and may not be taken. */
  takes(recipient: string, transaction: Transaction): boolean | Promise<boolean>;
  /** Told each piece as it comes. What it throws refuses the mail, whose rest is read and thrown away. */
  look?(transaction: Transaction): (chunk: Buffer) => void;
  /** Resolves once the mail is safe, with what its client is told after `250`. @throws AppError; CommitUnknown: no reply is true. */
  receive(transaction: Transaction, mail: Body): Promise<string>;
};
