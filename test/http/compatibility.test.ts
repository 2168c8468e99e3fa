/** docs/compatibility.md: each call of the official SDKs, the operation it asks for, whether it is here, and the test that asks for it. */

import assert from 'node:assert/strict';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { operations } from '../../src/http/openapi/operations.ts';
import { brevoCalls, brevoGroupsBeside, resendCalls, type SdkCall } from './sdk-calls.ts';

const kept = new URL('../../../docs/compatibility.md', import.meta.url);
const tests = fileURLToPath(new URL('../../../test/', import.meta.url));

/** `SENDONCE_WRITE_OPENAPI=1` writes the page instead of holding it against what there is. */
const isWriting = process.env.SENDONCE_WRITE_OPENAPI === '1';

/** Why a path is not here, by how it begins. */
const reasons: [start: string, reason: string][] = [
  ['/automations', 'workflows are their product, not sending'],
  ['/events', 'they start automations'],
  ['/oauth', 'keys are made here, nobody grants access to others'],
  ['/domains/:x/claim', 'a domain is whose key is in DNS'],
  ['/domains/claim', 'a domain is whose key is in DNS'],
  ['/inboxes', 'mail is not kept in mailboxes here'],
  ['/contacts/imports', 'contacts are made one by one'],
  ['/usage', 'there is no plan to use up'],
  ['/broadcasts', 'opens and clicks are not tracked, recipients are in the emails'],
  ['/v3/contacts', 'imports, exports, filters and double opt-in are the app’s'],
  ['/v3/emailCampaigns', 'broadcasts are sent through Resend’s API here'],
  ['/v3/senders', 'there are no dedicated IPs'],
];

/** What is another thing here than at the real service, though the call works. */
const differences: Readonly<Record<string, string>> = {
  'POST /emails/batch': 'attachments are sent, where Resend drops them',
  'GET /emails/receiving': 'without a limit at most 1,000 are listed',
  'PATCH /domains/{id}': 'receiving alone can be changed',
  'GET /logs': 'the latest 1,000 of an account',
  'GET /logs/{id}': 'bodies are not kept',
  'GET /broadcasts': 'states are `draft`, `queued` and `sent`',
  'GET /broadcasts/{id}': 'states are `draft`, `queued` and `sent`',
  'GET /v3/smtp/statistics/aggregatedReport': 'days are those of UTC; opens and clicks are not tracked',
  'GET /v3/smtp/statistics/reports': 'days are those of UTC; opens and clicks are not tracked',
  'GET /v3/smtp/statistics/events': 'opens and clicks are not tracked',
  'GET /v3/senders/ips': 'there are none',
  'GET /v3/senders/{id}/ips': 'there are none',
  'PUT /v3/senders/{id}/validate': 'always done',
  'POST /v3/webhooks/export': 'at most 10,000 rows of 30 days',
  'GET /v3/organization/activities': 'nothing of it is recorded',
};

/** Groups of Brevo's SDK that have to do with mail; all others are 404. */
const brevoGroups = ['transactionalEmails', 'contacts', 'senders', 'domains', 'webhooks', 'account'];

const sources = readdirSync(tests, { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.test.ts') && !/compatibility|check-code/.test(name))
  .map((name) => ({ name: name.replace('.test.ts', ''), text: readFileSync(join(tests, name), 'utf8') }));

function operationOf({ method, path }: SdkCall): string | null {
  const parts = path.split('/');
  const isSame = (pattern: string) => {
    const own = pattern.split('/');
    return own.length === parts.length && own.every((part, index) => part === parts[index] || part.startsWith('{'));
  };
  const here = Object.keys(operations).filter((one) => one.startsWith(`${method} `) && isSame(one.split(' ')[1] ?? ''));
  const exact = here.find((one) => one === `${method} ${path}`);
  return exact ?? here.find(() => !refused.test(path)) ?? null;
}

/** Taken for an id otherwise. */
const refused =
  /^\/(domains\/claim|contacts\/imports)$|^\/v3\/contacts\/(import|export|batch|segments|doubleOptinConfirmation)$/;

/** Where no SDK call of it stands in a test, every route is asked by two accounts. */
function testOf(call: string): string {
  const text = `.${call}(`;
  return sources.find((source) => source.text.includes(text))?.name ?? 'accounts/isolation';
}

function rowOf(one: SdkCall): string {
  const operation = operationOf(one);
  const asked = `${one.method} ${one.path.replace(/\/x(?=\/|$)/g, '/:x')}`;
  if (operation) {
    const difference = differences[operation];
    const is = difference === undefined ? 'here' : `here, but ${difference}`;
    return `| \`${one.call}\` | \`${operation.replace(/\{(\w+)\}/g, ':$1')}\` | ${is} | ${testOf(one.call)} |`;
  }
  const path = asked.split(' ')[1] ?? '';
  const reason = reasons.find(([start]) => path.startsWith(start))?.[1];
  assert.ok(reason, `${one.call} asks for ${asked}: why is it not here?`);
  return `| \`${one.call}\` | \`${asked}\` | no: ${reason} | |`;
}

const head = '| call | operation | | test |\n|---|---|---|---|';

async function page(): Promise<string> {
  const resend = (await resendCalls()).map(rowOf);
  const brevo = (await brevoCalls(brevoGroups)).map(rowOf);
  return `# What the official SDKs ask for, and what is here

Written by \`test/http/compatibility.test.ts\`, which makes each call of the SDKs for Node once and looks where it leads, and which fails
where this page is not what there is. Operations of the servers' own beside them are in [openapi.json](openapi.json). What is not here
answers 404 in the shape of its API.

## Resend

${head}
${resend.join('\n')}

## Brevo

${head}
${brevo.join('\n')}

Of Brevo's other groups nothing is here, because none of it is transactional mail: campaigns by email, SMS and WhatsApp, companies, deals, tasks
and notes, conversations, coupons and loyalty, e-commerce, payments, custom objects, files, feeds, inbound parsing, and the master account:
${brevoGroupsBeside(brevoGroups)
  .map((name) => `\`${name}.*\``)
  .join(', ')}.
`;
}

describe('docs/compatibility.md', () => {
  test('has each call of the SDKs, and is written as it is kept', async () => {
    const written = await page();
    if (isWriting) writeFileSync(kept, written);
    assert.equal(readFileSync(kept, 'utf8'), written, 'SENDONCE_WRITE_OPENAPI=1 writes it anew');
    assert.ok(written.split('\n').length > 150, written);
  });

  test('tells differences of operations that are there', () => {
    for (const operation of Object.keys(differences)) assert.ok(operations[operation], operation);
  });
});
