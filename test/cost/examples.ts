/** A valid value for members of these names: what a field is tried beside, never which fields there are. */

const when = new Date(Date.now() + 3_600_000).toISOString();

const values: Record<string, unknown> = {
  from: 'Acme <hello@example.com>',
  to: ['ann@example.com'],
  subject: 'Hello',
  html: '<p>Hello</p>',
  scheduled_at: when,
  email: 'ann@example.com',
  emails: ['ann@example.com'],
  endpoint: 'https://example.com/hook',
  events: ['email.sent'],
  answer: 'sent',
  since: '2026-01-01T00:00:00Z',
};

/** Brevo's, where a name means something else there. */
const brevoValues: Record<string, unknown> = {
  sender: { name: 'Acme', email: 'hello@example.com' },
  to: [{ email: 'ann@example.com' }],
  subject: 'Hello',
  htmlContent: '<p>Hello there</p>',
  name: 'Shop',
  email: 'shop@example.com',
  url: 'https://example.com/hook',
  events: ['delivered'],
  emailTo: ['ann@example.com'],
  templateName: 'A template',
  params: { s: 'x' },
};

/** What stands around a member that is tried: of an object in an array, or of an object. */
const around: Record<string, unknown> = {
  attachments: [{ filename: 'a.txt', content: 'aGVsbG8=' }],
  attachment: [{ name: 'a.txt', content: 'aGVsbG8=' }],
  tags: [{ name: 'a', value: 'b' }],
  sender: { name: 'Acme', email: 'hello@example.com' },
  replyTo: { email: 'ann@example.com' },
  cc: [{ email: 'ann@example.com' }],
  bcc: [{ email: 'ann@example.com' }],
  messageVersions: [{ to: [{ email: 'ann@example.com' }] }],
  auth: { type: 'bearer', token: 'a' },
};

export function exampleBody(path: string, accessed: readonly string[]): Record<string, unknown> {
  const known = path.startsWith('/v3') ? brevoValues : values;
  return Object.fromEntries(accessed.filter((name) => name in known).map((name) => [name, known[name]]));
}

/** Null: nothing is needed beside it. */
export function exampleAround(name: string): unknown {
  return around[name] ?? null;
}
