/** What an older server left behind: its database as it stood at one moment, and what it answered until then. */

import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import pg from 'pg';
import type { Database } from '../../src/store/database.ts';
import { sharedPostgres } from '../support/postgres-server.ts';
import type { Temp } from '../support/temp.ts';

export type Account = 'own' | 'other';

export type Request = {
  account: Account;
  method: string;
  path: string;
  body?: unknown;
  headers?: Record<string, string>;
};

export type Exchange = Request & { status: number; text: string };

export type Left = {
  version: string;
  /** The moment the database was left, in epoch milliseconds. */
  at: number;
  /** API keys, good for nothing else. */
  keys: Record<Account, string>;
  /** Emails by what happened to them. */
  emails: Record<string, string>;
  /** The other account's: a worker had them in its hands. */
  unfinished: Record<string, string>;
  webhooks: Record<string, string>;
  /** The `batchId` of what Brevo's facade scheduled. */
  batchId: string;
  /** Requests whose keys live: the same answer comes again. */
  replays: Exchange[];
  /** Other requests under keys that live. */
  conflicts: Exchange[];
  /** Requests whose keys have expired: they are accepted anew. */
  expired: Exchange[];
  /** What was to be read. */
  answers: Exchange[];
  /** SHA-256 of the mail each email is on the wire. */
  mails: Record<string, string>;
};

/** Where `PUBLIC_URL` leads, so that links look the same wherever a server listens. */
export const publicUrl = 'https://mail.acme.test';

export const folder = fileURLToPath(new URL('../../../test/upgrade/', import.meta.url));

/** The versions whose databases are kept, as `make.ts` made them. */
export function versionsLeft(engine: Database['engine']): Left[] {
  const names = readdirSync(folder).filter((name) => name.endsWith(`.${engine}.json.gz`));
  return names.map((name) => JSON.parse(unpack(name).toString()) as Left);
}

/** The URL of a copy of that database. */
export async function copyOf(left: Left, engine: Database['engine'], temp: Temp): Promise<string> {
  if (engine === 'sqlite') {
    writeFileSync(temp.path('left.db'), unpack(`${left.version}.db.gz`));
    return `sqlite:${temp.path('left.db')}`;
  }
  const url = await (await sharedPostgres()).createDatabase();
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await client.query(unpack(`${left.version}.sql.gz`).toString());
  // Nobody migrates beside a process that lives: it has been silent for as long as it takes to be dead.
  await client.query('update workers set beat_at = beat_at - 15000');
  await client.end();
  return url;
}

function unpack(name: string): Buffer {
  return gunzipSync(readFileSync(join(folder, name)));
}

/** Signed links, and when they end, follow the clock; what they are signed with is the database's. */
export function withoutLinks(text: string): string {
  return text.replace(/"(download_url|expires_at)":"[^"]*"/g, '"$1":"…"');
}
