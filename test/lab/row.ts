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
  /** Mails that moved on from a relay to another one. */
  failovers?: number;
  /** Of a failover. */
  cluster?: ClusterFigures;
  /** Why it did not run here, where it did not. */
  skipped?: string;
};

/** What else a failover comes to. */
export type ClusterFigures = {
  /** Acknowledged mails that the next primary does not know, and that have left. */
  forgotten: number;
  /** Left open by a living worker that does not know of them any more. */
  stuck: number;
  /** Held although they cannot have left. */
  needless: number;
  /** From the moment the ways lead to the next primary, or the standby is back, until each API process has accepted something new. */
  acceptsAgainMs: number[];
};
