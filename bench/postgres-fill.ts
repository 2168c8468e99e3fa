/** A database as many delivered mails leave it, made in SQL with short bodies, and what is due to be claimed. */

import type { Database } from '../src/store/database.ts';

/** Rows of one transaction: some seconds, so that there is something to tell meanwhile. */
const atOnce = 250_000;

const tables = ['idempotency_keys', 'emails', 'deliveries', 'events'];

const id = "'00000000-0000-7000-8000-' || lpad(n::text, 12, '0')";

/** Each mail with the key that is remembered of it, its delivery and the event of it. */
const rows = [
  `insert into idempotency_keys
     (account, key_hash, scope, raw_hash, canonical_hash, status, body, email_ids, created_at, expires_at)
   select 'default', sha256(n::text::bytea), 'resend POST /emails', sha256('a'::bytea), sha256('b'::bytea), 200,
     '{"id":"' || ${id} || '"}', '["' || ${id} || '"]', n, ${Number.MAX_SAFE_INTEGER} - n from generate_series(?::int, ?::int) n`,
  `insert into emails (account, id, facade, message_id, created_at, key_hash, summary, content, html)
   select 'default', ${id}, 'resend', '<' || ${id} || '@resend.dev>', n, sha256(n::text::bytea),
     '{"from":"Acme <onboarding@resend.dev>","to":["customer-1@mail.example"],"cc":[],"bcc":[],"replyTo":[],"subject":"hello world","tags":[],"topicId":null,"scheduledText":null}',
     '{"headers":[],"files":0}', '<h1>it works!</h1>' from generate_series(?::int, ?::int) n`,
  `insert into deliveries (account, email_id, part, state, attempt, handoff_attempt, run_at, give_up_at, recipients,
     recipient_count, content_hash, gated_at, reply)
   select 'default', ${id}, 0, 'sent', 1, 1, n, n, '["customer-1@mail.example"]', 1, sha256('c'::bytea), n, '250 2.0.0 ok'
   from generate_series(?::int, ?::int) n`,
  `insert into events (account, email_id, type, at, detail)
   select 'default', ${id}, 'sent', n, '{"recipients":["customer-1@mail.example"],"reply":"250 2.0.0 ok","attempt":1}'
   from generate_series(?::int, ?::int) n`,
];

/** Tells as it goes, and ends with all of it vacuumed, analyzed, and written back, whatever the size. */
export async function fill(database: Database, size: number): Promise<void> {
  const startedAt = performance.now();
  for (let done = 0; done < size; done += atOnce) {
    const to = Math.min(size, done + atOnce);
    await database.write(
      async (tx) => {
        await tx.run("insert into accounts (id, created_at) values ('default', 1) on conflict do nothing");
        for (const insert of rows) await tx.run(insert, done + 1, to);
      },
      { patient: true },
    );
    const seconds = ((performance.now() - startedAt) / 1_000).toFixed(0);
    console.log(`  filling: ${to.toLocaleString('en')} of ${size.toLocaleString('en')} mails, ${seconds} s`);
  }
  await skipPageIndex(database);
  for (const table of tables) await database.report(`vacuum analyze ${table}`);
  await settle(database);
}

/** What the page counts and searches by is not measured here: the chore would catch up with all of it meanwhile. */
async function skipPageIndex(database: Database): Promise<void> {
  await database.write((tx) =>
    tx.run(
      `insert into cursors (name, position)
       select name || ' default', (select max(id) from emails) from (values ('accepted'), ('terms')) as chores (name)
       union all select name, (select max(id) from events)::text from (values ('events'), ('states')) as chores (name)`,
    ),
  );
}

/** So that no checkpoint of what was before falls into what is measured. */
export async function settle(database: Database): Promise<void> {
  await database.report('checkpoint');
}

/** Queued deliveries, due at once and oldest of all, instead of whatever was due before. */
export async function makeDue(database: Database, count: number, batch: string): Promise<void> {
  await database.write(
    async (tx) => {
      await tx.run("update deliveries set state = 'sent' where state = 'queued'");
      await tx.run(
        `insert into deliveries (account, email_id, part, state, run_at, give_up_at, recipients, recipient_count)
         select 'default', 'due ' || ? || lpad(n::text, 9, '0'), 0, 'queued', n, n, '["customer-1@mail.example"]', 1
         from generate_series(1, ?::int) n`,
        batch,
        count,
      );
    },
    { patient: true },
  );
  await database.report('vacuum analyze deliveries');
  await settle(database);
}

/** Bytes of these tables with their indexes, for each mail. */
export async function bytesEach(database: Database, size: number): Promise<string> {
  const found = await database.all<{ name: string; bytes: number }>(
    `select relname as name, pg_total_relation_size(oid) as bytes from pg_class
     where relkind = 'r' and relname in (${tables.map(() => '?').join(', ')}) order by relname`,
    ...tables,
  );
  return found.map(({ name, bytes }) => `${name} ${(bytes / size / 1_000).toFixed(2)} kB`).join(', ');
}
