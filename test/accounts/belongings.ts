/** An account that has one of everything, each marked with a word that stands nowhere else, and what the tables hold of an account. */

import { queue } from '../../src/command/queue.ts';
import { readConfig } from '../../src/config/config.ts';
import type { Database } from '../../src/store/database.ts';
import { insertReceivedMail } from '../../src/store/received-mails.ts';
import { openDatabase } from '../support/engine.ts';
import { printed } from '../support/printed.ts';
import type { Receiver } from '../support/receiver.ts';
import type { TestServer } from '../support/server.ts';
import { type Client, newAccount } from './operator.ts';

export const owner = 'owner';
export const marker = 'ours-7f3a';
export const keyOfOurs = 'a-key-of-theirs';

export type Belongings = {
  client: Client;
  keyId: string;
  email: string;
  messageId: string;
  /** As Brevo's API names the email. */
  uuid: string;
  attachment: string;
  held: string;
  batch: string;
  template: string;
  versioned: string;
  contact: string;
  contactNumber: string;
  segment: string;
  list: string;
  topic: string;
  property: string;
  broadcast: string;
  sender: string;
  domain: string;
  webhook: string;
  event: string;
  brevoWebhook: string;
  suppression: string;
  suppressed: string;
  log: string;
  received: string;
  receivedFile: string;
};

export async function furnish(server: TestServer, receiver: Receiver): Promise<Belongings> {
  const client = await newAccount(server, owner, 'owner.test');
  const from = `${marker} <a@owner.test>`;
  const suppressed = 'somebody@blocked.test';
  const must = async (method: string, path: string, body?: unknown, headers = {}) => {
    const { status, json, text } = await client.call(method, path, body, headers);
    if (status >= 300) throw new Error(`${method} ${path} was answered ${status}: ${text}`);
    return json;
  };
  const webhook = await must('POST', '/webhooks', {
    endpoint: `${receiver.url}/${marker}`,
    events: ['email.delivered'],
  });
  const hook = { url: `${receiver.url}/${marker}-brevo`, description: marker, events: ['delivered'] };
  const brevoWebhook = await must('POST', '/v3/webhooks', hook);
  const mail = {
    ...{ from, to: [`${marker}@to.test`], subject: `${marker} subject`, html: `<p>${marker}</p>` },
    tags: [{ name: 'of', value: marker }],
    attachments: [{ filename: `${marker}.txt`, content: Buffer.from(marker).toString('base64') }],
  };
  const sent = await must('POST', '/emails', mail, { 'idempotency-key': keyOfOurs });
  await receiver.waitFor(2);
  const inADay = new Date(server.clock.now() + 86_400_000).toISOString();
  const held = await must('POST', '/emails', { ...mail, scheduled_at: inADay });
  const config = readConfig({ DATABASE_URL: server.databaseUrl });
  await printed(() => queue(config, ['hold']));
  const brevoMail = { sender: { name: marker, email: 'a@owner.test' }, to: [{ email: 'x@to.test' }] };
  const scheduled = { ...brevoMail, subject: marker, textContent: marker, scheduledAt: inADay };
  const { batchId } = await must('POST', '/v3/smtp/email', scheduled);
  const template = await must('POST', '/v3/smtp/templates', {
    ...{ sender: { name: marker, email: 'a@owner.test' }, templateName: marker, subject: marker },
    ...{ htmlContent: `<p>${marker} {{ params.a }}</p>`, isActive: true },
  });
  const versioned = await must('POST', '/templates', { name: marker, html: marker, alias: `${marker}-alias` });
  const segment = await must('POST', '/segments', { name: marker });
  const topic = await must('POST', '/topics', { name: marker, default_subscription: 'opt_in' });
  const property = await must('POST', '/contact-properties', { key: 'of', type: 'string', fallback_value: marker });
  const known = { email: `${marker}@contact.test`, first_name: marker, properties: { of: marker } };
  const choices = { segments: [segment.id], topics: [{ id: topic.id, subscription: 'opt_out' }] };
  const contact = await must('POST', '/contacts', { ...known, ...choices });
  const { contacts } = await must('GET', '/v3/contacts');
  const { lists } = await must('GET', '/v3/contacts/lists');
  const written = { segment_id: segment.id, from, subject: marker, html: marker };
  const broadcast = await must('POST', '/broadcasts', written);
  const sender = await must('POST', '/v3/senders', { name: marker, email: 'named@owner.test' });
  const domain = await must('POST', '/domains', { name: 'owner.test' });
  await must('POST', '/v3/smtp/blockedDomains', { domain: 'blocked.owner.test' });
  const suppression = await must('POST', '/suppressions', { email: suppressed });
  const { data: events } = await must('GET', `/webhooks/${webhook.id}/events`);
  const { data: files } = await must('GET', `/emails/${sent.id}/attachments`);
  await server.until('requests are written', async () => (await must('GET', '/logs')).data.length > 0);
  const { data: logs } = await must('GET', '/logs');
  const { message_id: messageId } = await must('GET', `/emails/${sent.id}`);
  const { transactionalEmails } = await must('GET', `/v3/smtp/emails?messageId=${encodeURIComponent(messageId)}`);
  const received = await receive(server);
  const { data: receivedFiles } = await must('GET', `/emails/receiving/${received}/attachments`);
  return {
    uuid: transactionalEmails[0].uuid,
    ...{ received, receivedFile: receivedFiles[0].id },
    ...{ client, email: sent.id, messageId, attachment: files[0].id, held: held.id, batch: batchId, suppressed },
    ...{ template: String(template.id), sender: String(sender.id), brevoWebhook: String(brevoWebhook.id) },
    ...{
      log: logs[0].id,
      webhook: webhook.id,
      event: events[0].id,
      suppression: suppression.id,
      domain: domain.id,
      versioned: versioned.id,
      contact: contact.id,
      contactNumber: String(contacts[0].id),
      segment: segment.id,
      list: String(lists[0].id),
      topic: topic.id,
      broadcast: broadcast.id,
      property: property.id,
      keyId: await keyIdOf(server),
    },
  };
}

/** A mail that came for it, as the listener keeps it. */
async function receive(server: TestServer): Promise<string> {
  const id = '019a0000-0000-7000-8000-00000000cafe';
  const database = await openDatabase(server.databaseUrl);
  const named = { from: `${marker}@to.test`, to: [marker], cc: [], bcc: [], replyTo: [], subject: marker };
  const head = { ...named, messageId: `<${marker}@to.test>`, headers: { of: marker } };
  const files = [{ filename: `${marker}.txt`, contentType: 'text/plain', contentId: null, sizeBytes: 1 }];
  const kept = { receivedFor: ['a@owner.test'], hash: Buffer.from(marker), raw: Buffer.from(`Subject: ${marker}\r\n`) };
  await database.write((tx) =>
    insertReceivedMail(tx, { account: owner, id, createdAt: server.clock.now(), head, files, ...kept }),
  );
  await database.close();
  return id;
}

async function keyIdOf(server: TestServer): Promise<string> {
  const [row] = await askOf<{ id: string }>(server, `select id from api_keys where account = '${owner}'`);
  return row?.id ?? '';
}

/** Everything the tables hold of an account, a line a row. */
export async function rowsOf(server: TestServer, account: string): Promise<string[]> {
  const database = await openDatabase(server.databaseUrl);
  try {
    const rows: string[] = [];
    for (const [table, where] of await tablesOf(database)) {
      const found = await database.report<Record<string, unknown>>(`select * from ${table} where ${where}`, account);
      rows.push(...found.map((row) => `${table} ${JSON.stringify(row, asText)}`));
    }
    return rows.sort();
  } finally {
    await database.close();
  }
}

async function tablesOf(database: Database): Promise<[table: string, where: string][]> {
  const sql =
    database.engine === 'sqlite'
      ? "select m.name as name from sqlite_master m join pragma_table_info(m.name) c where m.type = 'table' and c.name = 'account'"
      : "select table_name as name from information_schema.columns where table_schema = current_schema() and column_name = 'account'";
  const named = await database.all<{ name: string }>(sql);
  const ofWebhooks = 'webhook in (select number from webhooks where account = ?)';
  return [
    // What they have asked themselves is written a moment later.
    ...named.filter(({ name }) => name !== 'request_logs').map(({ name }): [string, string] => [name, 'account = ?']),
    ['webhook_deliveries', ofWebhooks],
    ['webhook_attempts', ofWebhooks],
  ];
}

function asText(_key: string, value: unknown): unknown {
  const bytes = value as { type?: string; data?: number[] } | null;
  return bytes?.type === 'Buffer' ? Buffer.from(bytes.data ?? []).toString('latin1') : value;
}

async function askOf<R>(server: TestServer, sql: string): Promise<R[]> {
  const database = await openDatabase(server.databaseUrl);
  try {
    return await database.all<R>(sql);
  } finally {
    await database.close();
  }
}
