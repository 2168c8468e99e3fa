/** Every number that submission over SMTP refuses by, each with its reason. */

export type SubmissionLimits = {
  recipientsMax: number;
  mailBytesMax: number;
  headerBytesMax: number;
  fieldsMax: number;
  lineBytesMax: number;
  hopsMax: number;
  scheduleAheadMsMax: number;
};

export const submissionLimits: SubmissionLimits = {
  // As many as one request to Resend's API names in to, cc and bcc; RFC 5321 4.5.3.1.8 wants 100 at least.
  recipientsMax: 150,
  // docs/resend.md: 40 MB after Base64.
  mailBytesMax: 40 * 1024 * 1024,
  // Ours: a header is small; relays refuse more than some 100 kB.
  headerBytesMax: 128 * 1024,
  fieldsMax: 1_000,
  // RFC 5321 4.5.3.1.6, without its CRLF.
  lineBytesMax: 998,
  // RFC 5321 6.3 wants 100 at least; nothing honest comes by a tenth of that.
  hopsMax: 100,
  // As over HTTP.
  scheduleAheadMsMax: 30 * 24 * 60 * 60 * 1000,
};
