/** A mail that came for a domain of an account: who it is from, whom it names, and what is in it. */

/** As its header has it; addresses as `writeMailbox` writes them. */
export type ReceivedHead = {
  from: string;
  to: string[];
  cc: string[];
  /** Whom it came for although the header names them nowhere. */
  bcc: string[];
  replyTo: string[];
  subject: string;
  messageId: string;
  /** Names in lower case; of several with one name the first, which is the last server's. */
  headers: Readonly<Record<string, string>>;
};

/** One of its files; an id of its own where it is kept. */
export type ReceivedFile = { filename: string; contentType: string; contentId: string | null; sizeBytes: number };

/** A mail goes round in a loop where it came by more servers than these (RFC 5321 6.3 wants 100 at least). */
export const hopsMax = 100;
