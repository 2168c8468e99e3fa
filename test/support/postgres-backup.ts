/** A base backup of a server that goes on working, as pg_basebackup makes one: that program does not come with the servers from npm. */

import { copyFile, mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type pg from 'pg';

/** What is of the running server, or comes from it later: the log is streamed from where the backup began. */
const leftOut = /^(postmaster\.(pid|opts)|pg_wal\/.+|pg_replslot\/.+|pg_stat_tmp\/.+|pg_subtrans\/.+|pg_notify\/.+)$/;

/** `from` and `to` are data folders; `to` must not be there yet. */
export async function backUp(client: pg.Client, from: string, to: string): Promise<void> {
  await client.query(`select pg_backup_start('standby', true)`);
  await copyTree(from, to, '');
  const { rows } = await client.query<{ labelfile: string }>('select labelfile from pg_backup_stop(false)');
  await writeFile(join(to, 'backup_label'), rows[0]?.labelfile ?? '');
}

async function copyTree(from: string, to: string, below: string): Promise<void> {
  await mkdir(join(to, below), { mode: 0o700 });
  for (const entry of await readdir(join(from, below), { withFileTypes: true })) {
    const name = below === '' ? entry.name : `${below}/${entry.name}`;
    if (leftOut.test(name)) continue;
    if (entry.isDirectory()) await copyTree(from, to, name);
    else await copyFile(join(from, name), join(to, name)).catch(forgiveGone);
  }
}

/** Removed by the server meanwhile: its log says so. */
function forgiveGone(error: NodeJS.ErrnoException): void {
  if (error.code !== 'ENOENT') throw error;
}
