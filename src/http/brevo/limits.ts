/** Every number the Brevo facade refuses by, each with its reason. */

export const brevoLimits = {
  // docs/brevo.md: sender, recipients, replyTo.
  nameCharsMax: 70,
  // docs/brevo.md, messageVersions.
  versionsMax: 1_000,
  versionRecipientsMax: 99,
  requestRecipientsMax: 2_000,
  // docs/brevo.md: of one params object, and of those of all versions together.
  paramsBytesMax: 100 * 1024,
  paramsBytesTotalMax: 1_000 * 1024,
  // RFC 5322 2.1.1 ends a line at 998; twice that is still a subject, more is a body in the wrong field.
  subjectCharsMax: 2_000,
  // Ours: a mail with more header fields than this is refused by common relays anyway.
  headersMax: 100,
  headerValueCharsMax: 10_000,
  // Ours: tags are words to filter by.
  tagsMax: 75,
  tagCharsMax: 256,
  // Ours: bounds the parts of one MIME message.
  attachmentsMax: 200,
  // Ours, and the same as on the other facade: what one email may have after Base64.
  emailBytesMax: 40 * 1024 * 1024,
  // Ours: each version is stored whole, with the attachments they share, in one transaction that others wait for.
  requestBytesMax: 128 * 1024 * 1024,
  // docs/brevo.md: 72 hours.
  scheduleAheadMsMax: 72 * 60 * 60_000,
  // Ours: a late queue or a fast clock is sent at once; a wrong year is refused.
  scheduleBehindMsMax: 60 * 60_000,
  // Ours: no moment needs more.
  scheduleCharsMax: 100,
  // docs/brevo.md: the shortest html of a template, and its pages.
  templateHtmlCharsMin: 10,
  templatesPageDefault: 50,
  templatesPageMax: 1_000,
  // Ours: kept html is listed with all others of its page, which is one text in memory.
  templateHtmlCharsMax: 2 ** 20,
  templatesPageCharsMax: 32_000_000,
  // Ours: of a name, and of toField.
  templateNameCharsMax: 255,
  // docs/brevo.md: 50 tests a day; here as many at once.
  testRecipientsMax: 50,
  // Ours: more than there are names.
  webhookEventsMax: 50,
  // Ours: enough to say who one is.
  webhookHeadersMax: 20,
  webhookHeaderCharsMax: 4_000,
  // Ours: a table of some megabytes, put together in memory.
  historyRowsMax: 10_000,
  // Ours.
  descriptionCharsMax: 1_000,
} as const;
