/**
 * What the Resend SDKs that cannot run here put on the wire, to be replayed over a raw socket (docs/resend.md; header
 * names and bodies checked against the SDKs' sources: PHP 1.10, Python 2.39, Ruby 1.10, Go 3.12, Rust 0.31, Java 4.20,
 * .NET 0.11).
 *
 * The one who replays fills in `{{key}}` (an API key), `{{id}}` (an email as `of` asks for) and adds Host and, where there
 * is a body that is not chunked, Content-Length; `{{later}}` is an ISO 8601 moment within 30 days. A null body has neither Content-Length nor Transfer-Encoding.
 */

export type Fixture = {
  sdk: Sdk;
  what: 'single' | 'attachment' | 'batch' | 'cancel' | 'update' | 'get' | 'empty key' | 'oddity';
  method: 'GET' | 'POST' | 'PATCH';
  path: string;
  headers: [name: string, value: string][];
  body: string | null;
  chunked: boolean;
  /** Which email `{{id}}` stands for. */
  of: 'scheduled' | 'accepted' | null;
  expect: { status: number; name?: string; ids?: number };
};

type Sdk = 'php' | 'python' | 'ruby' | 'go' | 'rust' | 'java' | 'dotnet';

type Dialect = {
  /** What stands on every request. */
  headers: [string, string][];
  /** Added where there is a JSON body. */
  contentType: [string, string];
  encode(value: unknown): string;
  chunked: boolean;
  batchHeaders: [string, string][];
  attachment: Record<string, unknown>;
  /** Members the SDK repeats in the body of PATCH. */
  updateExtras: Record<string, string>;
  cancelBody: string | null;
  getBody: string | null;
  /** Whether an empty key is sent as an empty header rather than left out. */
  sendsEmptyKey: boolean;
};

const someMessage = {
  from: 'Acme <onboarding@resend.dev>',
  to: ['ann@example.org'],
  subject: 'Grüße & <hello>',
  html: '<p>it works!</p>',
};
const secondMessage = { ...someMessage, to: ['bob@example.org'], subject: 'world hello' };
const file = Buffer.from('hello\xff', 'latin1');
const bytes = [...file];
const base64 = file.toString('base64');

const jsonType: [string, string] = ['Content-Type', 'application/json'];
const bearer = 'Bearer {{key}}';

const dialects: Record<Sdk, Dialect> = {
  php: {
    headers: [
      ['Authorization', bearer],
      ['User-Agent', 'resend-php/1.10.0'],
    ],
    contentType: jsonType,
    encode: (value) => escapeNonAscii(JSON.stringify(value)).replaceAll('/', '\\/'),
    chunked: false,
    batchHeaders: [['x-batch-validation', 'strict']],
    attachment: { filename: 'hello.txt', content: base64 },
    updateExtras: {},
    cancelBody: '{}',
    getBody: null,
    sendsEmptyKey: true,
  },
  python: {
    headers: [
      ['User-Agent', 'resend-python:2.39.0'],
      ['Accept-Encoding', 'gzip, deflate'],
      ['Accept', 'application/json'],
      ['Connection', 'keep-alive'],
      ['Authorization', bearer],
    ],
    contentType: jsonType,
    encode: (value) => escapeNonAscii(spacedJson(value)),
    chunked: false,
    batchHeaders: [],
    attachment: { filename: 'hello.txt', content: bytes },
    updateExtras: { id: '{{id}}' },
    cancelBody: '{}',
    getBody: '{}',
    sendsEmptyKey: true,
  },
  ruby: {
    headers: [
      jsonType,
      ['Accept', 'application/json'],
      ['User-Agent', 'resend-ruby:1.10.0'],
      ['Authorization', bearer],
      ['Connection', 'close'],
    ],
    // Already among the headers of every request, GET included.
    contentType: ['Accept-Encoding', 'gzip;q=1.0,deflate;q=0.6,identity;q=0.3'],
    encode: (value) => JSON.stringify(value),
    chunked: false,
    batchHeaders: [],
    attachment: { filename: 'hello.txt', content: base64 },
    updateExtras: { email_id: '{{id}}' },
    cancelBody: null,
    getBody: null,
    sendsEmptyKey: false,
  },
  go: {
    headers: [
      ['User-Agent', 'resend-go/3.12.0'],
      ['Accept', 'application/json'],
      ['Authorization', bearer],
      ['Accept-Encoding', 'gzip'],
    ],
    contentType: jsonType,
    encode: (value) => `${JSON.stringify(value).replace(/[<>&]/g, (char) => unicodeEscape(char))}\n`,
    chunked: true,
    batchHeaders: [],
    attachment: { content: bytes, filename: 'hello.txt' },
    updateExtras: { id: '{{id}}' },
    cancelBody: '',
    getBody: null,
    sendsEmptyKey: false,
  },
  rust: {
    headers: [
      ['authorization', bearer],
      ['user-agent', 'resend-rs/0.31.0'],
      ['accept', '*/*'],
    ],
    contentType: ['content-type', 'application/json'],
    encode: (value) => JSON.stringify(value),
    chunked: false,
    batchHeaders: [['x-batch-validation', 'strict']],
    attachment: { content: bytes, filename: 'hello.txt', contentType: 'text/plain' },
    updateExtras: {},
    cancelBody: null,
    getBody: null,
    sendsEmptyKey: true,
  },
  java: {
    headers: [
      ['Accept', 'application/json'],
      ['User-Agent', 'resend-java/4.20.0'],
      ['Authorization', bearer],
      ['Connection', 'Keep-Alive'],
      ['Accept-Encoding', 'gzip'],
    ],
    contentType: ['Content-Type', 'application/json; charset=utf-8'],
    encode: (value) => JSON.stringify(value),
    chunked: false,
    batchHeaders: [],
    attachment: { filename: 'hello.txt', content: base64 },
    updateExtras: {},
    cancelBody: '',
    getBody: null,
    sendsEmptyKey: false,
  },
  dotnet: {
    headers: [
      ['Authorization', bearer],
      ['Accept', 'application/json'],
      ['User-Agent', 'resend-sdk/0.11.0.0 dotnet/8.0.11'],
    ],
    contentType: ['Content-Type', 'application/json; charset=utf-8'],
    encode: (value) =>
      escapeNonAscii(JSON.stringify(value), true).replace(/[<>&'+]/g, (char) => unicodeEscape(char, true)),
    chunked: true,
    batchHeaders: [],
    attachment: { filename: 'hello.txt', content: base64 },
    updateExtras: {},
    cancelBody: '',
    getBody: null,
    sendsEmptyKey: true,
  },
};

const invalidKey = { status: 400, name: 'invalid_idempotency_key' };
const refusedField = { status: 422, name: 'validation_error' };

const sdks = Object.keys(dialects) as Sdk[];

export const fixtures: readonly Fixture[] = [...sdks.flatMap(ordinary), ...oddities()];

/** What every SDK can do, said as this one says it. */
function ordinary(sdk: Sdk): Fixture[] {
  const dialect = dialects[sdk];
  const attached = { ...someMessage, attachments: [dialect.attachment] };
  return [
    send(sdk, 'single', someMessage, key(sdk, 'single')),
    send(sdk, 'attachment', attached, key(sdk, 'attachment')),
    batch(sdk, 'batch', dialect.encode([someMessage, secondMessage]), [...dialect.batchHeaders, ...key(sdk, 'batch')], {
      status: 200,
      ids: 2,
    }),
    onEmail(sdk, 'cancel', 'POST', '/cancel', dialect.cancelBody),
    onEmail(sdk, 'update', 'PATCH', '', dialect.encode({ ...dialect.updateExtras, scheduled_at: '{{later}}' })),
    { ...onEmail(sdk, 'get', 'GET', '', dialect.getBody), of: 'accepted' },
    dialect.sendsEmptyKey
      ? { ...send(sdk, 'empty key', someMessage, [['Idempotency-Key', '']]), expect: invalidKey }
      : send(sdk, 'empty key', someMessage, []),
  ];
}

/** What only one of them does. */
function oddities(): Fixture[] {
  const goTemplate = { from: '', to: null, subject: '', template: { id: 'welcome' } };
  const rustTemplate = { ...someMessage, template: { id: 'welcome', variables: null } };
  return [
    // docs/resend.md: idempotency_key=None becomes this text.
    send('python', 'oddity', someMessage, [['Idempotency-Key', 'None']]),
    // docs/resend.md: their empty batches.
    batch('php', 'oddity', '{}', dialects.php.batchHeaders, refusedField),
    batch('ruby', 'oddity', null, [], refusedField),
    { ...send('go', 'oddity', goTemplate, []), expect: refusedField },
    { ...send('rust', 'oddity', rustTemplate, []), expect: refusedField },
    // docs/resend.md: .NET may send created_at.
    send('dotnet', 'oddity', { ...someMessage, created_at: '2026-04-03T22:13:42Z' }, []),
  ];
}

function key(sdk: Sdk, what: string): [string, string][] {
  return [['Idempotency-Key', `fixture/${sdk}/${what}`]];
}

function send(sdk: Sdk, what: Fixture['what'], message: unknown, extra: [string, string][]): Fixture {
  return request(sdk, what, 'POST', '/emails', dialects[sdk].encode(message), extra, { status: 200, ids: 1 });
}

function batch(
  sdk: Sdk,
  what: Fixture['what'],
  body: string | null,
  extra: [string, string][],
  expect: Fixture['expect'],
): Fixture {
  return request(sdk, what, 'POST', '/emails/batch', body, extra, expect);
}

function onEmail(
  sdk: Sdk,
  what: Fixture['what'],
  method: Fixture['method'],
  action: string,
  body: string | null,
): Fixture {
  const fixture = request(sdk, what, method, `/emails/{{id}}${action}`, body, [], { status: 200 });
  return { ...fixture, of: 'scheduled' };
}

function request(
  sdk: Sdk,
  what: Fixture['what'],
  method: Fixture['method'],
  path: string,
  written: string | null,
  extra: [string, string][],
  expect: Fixture['expect'],
): Fixture {
  const dialect = dialects[sdk];
  // Go and .NET chunk JSON only; their empty cancel has Content-Length: 0.
  const isJson = written !== null && written !== '';
  // Java alone gives its empty body a type.
  const hasType = isJson || (sdk === 'java' && written === '') || sdk === 'ruby';
  const headers = [...dialect.headers, ...extra, ...(hasType ? [dialect.contentType] : [])];
  return { sdk, what, method, path, headers, body: written, chunked: isJson && dialect.chunked, of: null, expect };
}

function unicodeEscape(char: string, upper = false): string {
  const hex = char.charCodeAt(0).toString(16).padStart(4, '0');
  return `\\u${upper ? hex.toUpperCase() : hex}`;
}

function escapeNonAscii(json: string, upper = false): string {
  return json.replace(/[\u0080-\uffff]/g, (char) => unicodeEscape(char, upper));
}

/** Python's json.dumps puts a space after every comma and colon. */
function spacedJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(spacedJson).join(', ')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const members = Object.entries(value).map(([name, member]) => `${JSON.stringify(name)}: ${spacedJson(member)}`);
  return `{${members.join(', ')}}`;
}
