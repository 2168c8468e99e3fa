/** What is asked and wanted of servers that follow one another: whose commits wait for whom, who has it all, who waits in vain. */

import assert from 'node:assert/strict';
import type { PostgresServer } from './postgres-server.ts';

/** Of servers in a cluster: a standby that was away for a while still finds what it needs of the log. */
export const clusterSettings = { wal_keep_size: '512MB' };

/** Whom commits wait for, as `synchronous_standby_names` has it; the empty text: nobody. */
export async function waitFor(server: PostgresServer, names: string): Promise<void> {
  await server.administer(`alter system set synchronous_standby_names = '${names}'`);
  await server.administer('select pg_reload_conf()');
}

/** A standby follows another primary from now on. */
export async function follow(standby: PostgresServer, primary: PostgresServer): Promise<void> {
  const way = `host=${primary.folder} user=postgres application_name=standby`;
  await standby.administer(`alter system set primary_conninfo = '${way}'`);
  await standby.administer('select pg_reload_conf()');
}

/** The database of a URL, at another server. */
export function urlAt(server: PostgresServer, url: string): string {
  return url.replace(/host=[^&]*/, `host=${encodeURIComponent(server.folder)}`);
}

/** Resolves when so many follow, and commits wait for them where they are asked to. */
export function followed(server: PostgresServer, isSynchronous: boolean, standbys = 1): Promise<void> {
  const state = isSynchronous ? "sync_state in ('sync', 'quorum')" : "state = 'streaming'";
  const sql = `select 1 from pg_stat_replication where ${state}`;
  return until('the standby follows', async () => (await server.administer(sql)).length >= standbys);
}

/** Resolves when all standbys have what is in the log now, whatever is written meanwhile. */
export async function hasWhatIsThere(server: PostgresServer): Promise<void> {
  const [now] = await server.administer<{ lsn: string }>('select pg_current_wal_flush_lsn()::text as lsn');
  const sql = `select 1 from pg_stat_replication having bool_and(flush_lsn >= '${now?.lsn}')`;
  return until('the standby has what was there', async () => (await server.administer(sql)).length > 0);
}

/** Resolves when so many COMMITs of ours wait for a standby; `name`: on connections that are named so. */
export function waiting(server: PostgresServer, name = '', commits = 1): Promise<void> {
  return until('a commit waits', async () => (await server.administer(waits(name))).length >= commits);
}

/** What an operator may do to sessions whose COMMIT waits. */
export function callOff(server: PostgresServer, how: 'cancel' | 'terminate', name = ''): Promise<unknown> {
  return server.administer(`select pg_${how}_backend(pid) from (${waits(name)}) as ours`);
}

function waits(name: string): string {
  return `select pid from pg_stat_activity where wait_event = 'SyncRep' and application_name like 'sendonce ${name}%'`;
}

export async function until(what: string, condition: () => Promise<boolean>, ms = 60_000): Promise<void> {
  const giveUpAt = performance.now() + ms;
  while (!(await condition().catch(() => false))) {
    assert.ok(performance.now() < giveUpAt, `waited in vain until ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
