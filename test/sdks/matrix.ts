/** What came of each call of each SDK, as a table. */

import type { Sdk } from './languages.ts';

export type Call = { call: string; ok: boolean; said: string };
export type Result = { language: string; sdk: string; vendor: Sdk['vendor']; calls: Call[] };

/** A table for each vendor: calls down, SDKs across. `–`: the script of that SDK does not make the call. */
export function matrixOf(results: readonly Result[]): string {
  const vendors = ['Resend', 'Brevo', 'Frameworks'] as const;
  return vendors.map((vendor) => tableOf(results.filter((one) => one.vendor === vendor))).join('\n');
}

function tableOf(results: readonly Result[]): string {
  if (results.length === 0) return '';
  const calls = [...new Set(results.flatMap((one) => one.calls.map(({ call }) => call)))];
  const heads = results.map(({ language, sdk }) => `${language}: ${sdk}`);
  const lines = calls.map((call) => `| ${call} | ${results.map((one) => markOf(one, call)).join(' | ')} |`);
  return [`| call | ${heads.join(' | ')} |`, `|---|${heads.map(() => ':-:|').join('')}`, ...lines, ''].join('\n');
}

function markOf({ calls }: Result, name: string): string {
  const made = calls.filter(({ call }) => call === name);
  if (made.length === 0) return '–';
  return made.every(({ ok }) => ok) ? '✓' : '✗';
}

/** docs/sdks.md. */
export function documentOf(results: readonly Result[]): string {
  return `${head}\n${matrixOf(results)}\n${foot}`;
}

const head = `# SDKs

Which official SDKs run against Sendonce, and what each call came to. \`npm run test:sdks -- --write\` installs them from their registries, runs
them and writes this page. ✓: the call did what it does at the real service. –: the script of that SDK does not make the call.

Before each script the account has emails in doubt, bounced, complained of, suppressed, suppressed in part and canceled, which it reads; Resend's
verify a webhook that the server sent, and one that was changed. Brevo's have no signature to verify.

Each script also sends under a key whose first answer is lost on its way and repeats the call; a mail sink then counts that each email left
once. \`npm run test:sdks -- --control\` changes the type of ids and the words of states in every answer, and every SDK has to notice.
`;

const foot = `## How each is pointed at Sendonce

Resend's SDKs take the root, Brevo's take \`/v3\`. [Resend](resend.md#pointing-an-sdk-here) and [Brevo](brevo.md#pointing-an-sdk-here) have the tables.

Resend's SDK for Java has its address as a constant. Lead it here by a proxy: \`-Dhttps.proxyHost=… -Dhttps.proxyPort=…\`, and a certificate for
\`api.resend.com\` that the JVM trusts (\`-Djavax.net.ssl.trustStore=…\`). The test does that (\`test/sdks/tls-proxy.ts\`).

## What each does by itself when an answer is lost

| SDK | by itself |
|---|---|
| Brevo for Node 6 and for Python 5 | repeats 408, 409, 429 and 5xx twice: give every send a key |
| Resend for Java | OkHttp repeats a POST when a reused connection dies: with a key the first id comes back, without one two emails are sent |
| Resend for Rust | waits, so that no more than nine requests leave at once and then one a second; \`RESEND_RATE_LIMIT\` changes that |
| the others | nothing: your code repeats the call, under the same key ([retries](retries.md)) |

## Not ours to mend

- \`resend-rs\` 0.35 knows no \`suppressed\`: \`get\` and \`list\` fail to decode an answer that holds such an email.
- \`resend-rs\` 0.35 knows two kinds of bounces, \`Suppressed\` and \`MessageRejected\`: it cannot parse a webhook that tells of another one.
- Brevo for Node 2 and 3 drop \`batchId\` from answers.
- Resend for Go tells errors as text, without status or name.

## Frameworks

The third table has what frameworks and transports send by themselves. Django's anymail, nodemailer's transports and Resend's SDK in your own
callbacks (better-auth) take another address. Auth.js's Resend provider and Payload's adapter have theirs as a constant: give Auth.js a
\`sendVerificationRequest\` of your own, or lead them here by a proxy, as above.

Rails makes new Content-IDs for inline images each time it renders: a job that renders again under the same key gets 409. Render once, and keep the mail.

PHP, Ruby and .NET are not run: no registry at hand has their packages. \`npm test\` replays the bytes that their SDKs, Laravel, Symfony and Rails send.
`;
