/** One line of the lab's table: a fault, how often it was made, and what came of the mails. */

export type Row = {
  fault: string;
  runs: number;
  /** Mails that were acknowledged. */
  mails: number;
  /** Copies at the sink beyond the first, of one email. */
  duplicates: number;
  /** Acknowledged mails that neither left nor are held. */
  lost: number;
  /** Mails in doubt at the end. */
  held: number;
  /** How many of the held are explained by a fault that was made. */
  explained: number;
  violations: string[];
  /** Why it did not run here, where it did not. */
  skipped?: string;
};
