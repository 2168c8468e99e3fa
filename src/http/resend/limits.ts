/** Every number the Resend facade refuses by, each with its reason. */

export type ResendLimits = {
  recipientsMax: number;
  batchMax: number;
  addressCharsMax: number;
  subjectCharsMax: number;
  headersMax: number;
  headerValueCharsMax: number;
  tagsMax: number;
  tagCharsMax: number;
  topicIdCharsMax: number;
  attachmentsMax: number;
  contentTypeCharsMax: number;
  contentIdCharsMax: number;
  emailBytesMax: number;
  scheduleAheadMsMax: number;
  scheduleBehindMsMax: number;
  scheduleCharsMax: number;
  pageSizeMax: number;
  pageSizeDefault: number;
  diffNamesMax: number;
  webhookEventsMax: number;
  replayMax: number;
  nameCharsMax: number;
  templateCharsMax: number;
  templatesCharsMax: number;
  variablesMax: number;
  propertiesMax: number;
  broadcastCharsMax: number;
  propertyCharsMax: number;
};

export const resendLimits: ResendLimits = {
  // docs/resend.md: 1..50 in `to`. The contract sets none for cc, bcc and reply_to; the same number keeps an envelope bounded.
  recipientsMax: 50,
  // docs/resend.md.
  batchMax: 100,
  // RFC 5321 allows 254 octets of address; the rest is room for a display name.
  addressCharsMax: 1_000,
  // RFC 5322 2.1.1 ends a line at 998; twice that is still a subject, more is a body in the wrong field.
  subjectCharsMax: 2_000,
  // Ours: the contract has no number; a mail with more header fields than this is refused by common relays anyway.
  headersMax: 100,
  headerValueCharsMax: 10_000,
  // docs/resend.md, tags.
  tagsMax: 75,
  tagCharsMax: 256,
  // Ours: a topic id is a UUID; kept, never interpreted.
  topicIdCharsMax: 256,
  // Ours: bounds the parts of one MIME message.
  attachmentsMax: 200,
  // RFC 6838 4.2 allows 127 on each side of the slash; the rest is room for parameters.
  contentTypeCharsMax: 400,
  // docs/resend.md: fewer than 128.
  contentIdCharsMax: 127,
  // docs/resend.md: 40 MB after Base64, read generously as MiB.
  emailBytesMax: 40 * 1024 * 1024,
  // docs/resend.md: up to 30 days ahead.
  scheduleAheadMsMax: 30 * 24 * 60 * 60 * 1000,
  // Ours: a late queue or a fast clock is sent at once; a wrong year is refused.
  scheduleBehindMsMax: 60 * 60 * 1000,
  // Ours: no moment needs more words; bounds what chrono-node has to read.
  scheduleCharsMax: 100,
  // docs/resend.md.
  pageSizeMax: 100,
  pageSizeDefault: 20,
  // Ours: a mismatch answer stays readable however large the batch.
  diffNamesMax: 50,
  // Ours: more than there are names.
  webhookEventsMax: 100,
  // Ours: what one transaction moves without holding up the others.
  replayMax: 1_000,
  // Ours: of a template, a segment, a topic, a broadcast.
  nameCharsMax: 200,
  // Ours: ten times what Gmail shows of a mail.
  templateCharsMax: 1_000_000,
  // Of all that a batch has filled in, each of its emails counted: what the thread that fills it in can hold.
  templatesCharsMax: 16_000_000,
  // docs/resend.md.
  variablesMax: 50,
  // Ours: what one row of a contact holds.
  propertiesMax: 200,
  propertyCharsMax: 2_000,
  // Ours: a hundred of them are filled in at once.
  broadcastCharsMax: 300_000,
};
