/** What sends carry and refusals look like, in the words of JSON Schema; docs/resend.md and docs/brevo.md say more. */

type Schema = Readonly<Record<string, unknown>>;

const text = { type: 'string' } as const;
const address = { type: 'string', description: '`ann@example.com` or `Ann <ann@example.com>`' } as const;
const addresses = { oneOf: [address, { type: 'array', items: address }] } as const;
const mailbox = { type: 'object', required: ['email'], properties: { email: text, name: text } } as const;
const mailboxes = { type: 'array', items: mailbox } as const;
const words = { type: 'object', additionalProperties: text } as const;

const resendEmail: Schema = {
  type: 'object',
  required: ['from', 'to', 'subject'],
  properties: {
    from: address,
    to: addresses,
    cc: addresses,
    bcc: addresses,
    reply_to: addresses,
    subject: text,
    html: text,
    text: { ...text, description: 'Made of html where it is absent; "" for none' },
    headers: words,
    tags: { type: 'array', items: { type: 'object', required: ['name'], properties: { name: text, value: text } } },
    topic_id: text,
    scheduled_at: { ...text, description: 'ISO 8601, or English such as "in 1 hour"' },
    attachments: {
      type: 'array',
      items: {
        type: 'object',
        properties: {
          filename: text,
          content: { ...text, contentEncoding: 'base64' },
          path: text,
          content_type: text,
          content_id: text,
        },
      },
    },
  },
};

const brevoEmail: Schema = {
  type: 'object',
  properties: {
    sender: { type: 'object', properties: { email: text, name: text, id: { type: 'integer' } } },
    to: mailboxes,
    cc: mailboxes,
    bcc: mailboxes,
    replyTo: mailbox,
    subject: text,
    htmlContent: text,
    textContent: text,
    headers: { ...words, description: '`idempotencyKey` among them names the operation' },
    tags: { type: 'array', items: text },
    params: { type: 'object' },
    templateId: { type: 'integer' },
    messageVersions: { type: 'array', items: { type: 'object' } },
    attachment: { type: 'array', items: { type: 'object', properties: { name: text, content: text, url: text } } },
    scheduledAt: text,
    batchId: text,
  },
};

export const schemas: Readonly<Record<string, Schema>> = {
  ResendEmail: resendEmail,
  ResendBatch: { type: 'array', items: { $ref: '#/components/schemas/ResendEmail' }, minItems: 1, maxItems: 100 },
  BrevoEmail: brevoEmail,
  ResendError: {
    type: 'object',
    required: ['statusCode', 'name', 'message'],
    properties: { statusCode: { type: 'integer' }, name: text, message: text, hint: text },
  },
  BrevoError: { type: 'object', required: ['code', 'message'], properties: { code: text, message: text, hint: text } },
};

/** Bodies that have a schema; the others are in the docs. */
export const bodies: Readonly<Record<string, string>> = {
  'POST /emails': 'ResendEmail',
  'POST /email': 'ResendEmail',
  'POST /emails/batch': 'ResendBatch',
  'POST /v3/smtp/email': 'BrevoEmail',
};
