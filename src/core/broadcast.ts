/** A broadcast: one mail, written once, to everybody in a segment. */

/** `queued`: it is becoming emails. */
export type BroadcastStatus = 'draft' | 'scheduled' | 'queued' | 'sent' | 'canceled';

export type BroadcastContent = {
  name: string;
  segment: string | null;
  topic: string | null;
  from: string | null;
  subject: string | null;
  replyTo: string[];
  previewText: string | null;
  html: string | null;
  text: string | null;
};

export type Broadcast = {
  account: string;
  id: string;
  content: BroadcastContent;
  status: BroadcastStatus;
  createdAt: number;
  scheduledAt: number | null;
  sentAt: number | null;
  cursor: string;
  dueAt: number | null;
  /** Null where nothing keeps it from going on. */
  trouble: string | null;
};
