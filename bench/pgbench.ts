/** What PostgreSQL itself does with the same rows: pgbench, of Debian's packages, with scripts that accept and claim alike. */

import { spawn, spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Round } from './rounds.ts';

export type Pgbench = {
  /** Accepts by so many clients. */
  accept(clients: number, durationMs: number): Promise<Round>;
  /** So many claims of 20 deliveries each, one after the other; `done` counts deliveries. */
  claim(claims: number): Promise<Round>;
};

/** What one accept writes, in one transaction of prepared statements. Keys are random, ids grow with time, as ours do. */
const accept = `
\\set n :n + 1
begin;
insert into idempotency_keys (account, key_hash, scope, raw_hash, canonical_hash, status, body, email_ids, created_at, expires_at)
  values ('default', sha256((:n || ' ' || :client_id)::bytea), 'resend POST /emails', sha256('a'::bytea), sha256('b'::bytea), 200,
    '{"id":"01a21309-76ed-7444-b90c-2d4b46404e26"}', '["01a21309-76ed-7444-b90c-2d4b46404e26"]', 1, 9007199254740991)
  on conflict (account, key_hash) do nothing;
insert into emails (account, id, facade, message_id, created_at, summary, content, html)
  values ('default', 'pgbench ' || :n || ' ' || :client_id, 'resend', '<01a21309-76ed-7444-b90c-2d4b46404e26@resend.dev>', 1,
    '{"from":"Acme <onboarding@resend.dev>","to":["customer-1@mail.example"],"cc":[],"bcc":[],"replyTo":[],"subject":"hello world","tags":[],"topicId": null,"scheduledText": null}',
    '{"headers":[],"files": 0}', '<h1>it works!</h1>');
insert into deliveries (account, email_id, part, state, run_at, give_up_at, recipients, recipient_count)
  values ('default', 'pgbench ' || :n || ' ' || :client_id, 0, 'sent', 1, 2, '["customer-1@mail.example"]', 1);
commit;
`;

export const claimSize = 20;

const claim = `
with due as (
  select account, email_id, part, attempt from deliveries
  where account = 'default' and state = 'queued' and run_at <= 9007199254740991
  order by run_at limit ${claimSize} for update skip locked)
update deliveries set state = 'sending', attempt = deliveries.attempt + 1, worker = 'pgbench', run_at = 9007199254740991
from due
where deliveries.account = due.account and deliveries.email_id = due.email_id and deliveries.part = due.part
  and deliveries.state || '' = 'queued' and deliveries.attempt = due.attempt
returning deliveries.recipients, deliveries.give_up_at, deliveries.tries;
`;

/** Null, and loudly so, where pgbench is missing. */
export function openPgbench(socketFolder: string, scratch: string, url: string): Pgbench | null {
  if (spawnSync('pgbench', ['--version']).error) return null;
  const database = new URL(url.replace('@/', '@localhost/')).pathname.slice(1);
  const where = ['-h', socketFolder, '-U', 'postgres', database];
  const run = async (name: string, script: string, options: string[]): Promise<Round> => {
    const path = join(scratch, `${name}.sql`);
    writeFileSync(path, script);
    // A number that no run before has reached: microseconds, of which a transaction takes hundreds.
    const from = `n=${Date.now() * 1_000}`;
    const said = await outputOf(['-n', '-M', 'prepared', '-D', from, '-f', path, ...options, ...where]);
    const perSecond = Number(/tps = ([\d.]+)/.exec(said)?.[1]);
    const done = Number(/transactions actually processed: (\d+)/.exec(said)?.[1]);
    return { done, elapsedMs: (done / perSecond) * 1_000, latenciesMs: new Float64Array(), cpuSeconds: null };
  };
  return {
    accept: (clients, durationMs) =>
      run('accept', accept, ['-c', `${clients}`, '-j', '2', '-T', `${Math.ceil(durationMs / 1_000)}`]),
    async claim(claims) {
      const round = await run('claim', claim, ['-c', '1', '-t', `${claims}`]);
      return { ...round, done: round.done * claimSize };
    },
  };
}

function outputOf(args: string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn('pgbench', args, { stdio: ['ignore', 'pipe', 'pipe'] });
    let [said, complained] = ['', ''];
    child.stdout.on('data', (chunk) => {
      said += chunk;
    });
    child.stderr.on('data', (chunk) => {
      complained += chunk;
    });
    child.on('error', reject);
    child.on('close', (code) => {
      if (code === 0 && /tps = /.test(said)) resolve(said);
      else reject(new Error(`pgbench: ${complained}`));
    });
  });
}
