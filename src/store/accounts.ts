/** Accounts, their sessions, and the settings the program made for itself. */

import assert from 'node:assert/strict';
import type { Reader, Transaction } from './database.ts';
import { ensureSampleTemplate } from './templates.ts';

/** A new one has its sample template from the start. */
export async function ensureAccount(tx: Transaction, id: string, now: number): Promise<void> {
  await tx.run('insert into accounts (id, created_at) values (?, ?) on conflict (id) do nothing', id, now);
  await ensureSampleTemplate(tx, id, now);
}

/** Whoever else adds to what the account keeps has committed, or waits until this transaction ends. */
export async function lockAccount(tx: Transaction, id: string): Promise<void> {
  const locked = await tx.run('update accounts set created_at = created_at where id = ?', id);
  assert.equal(locked, 1, 'what is kept belongs to an account that exists');
}

/** Sessions of the page belong to an epoch of their key: 0 until somebody signs out. */
export async function findSessionEpoch(reader: Reader, keyId: string): Promise<number> {
  return Number((await findSetting(reader, epochName(keyId))) ?? 0);
}

/** Ends the epoch. Two at once may end the same one, which is as good. */
export async function endSessions(tx: Transaction, keyId: string): Promise<void> {
  await putSetting(tx, epochName(keyId), String((await findSessionEpoch(tx, keyId)) + 1));
}

function epochName(keyId: string): string {
  return `session_epoch ${keyId}`;
}

export async function findSetting(reader: Reader, name: string): Promise<string | null> {
  const [row] = await reader.all<{ value: string }>('select value from settings where name = ?', name);
  return row?.value ?? null;
}

/** The first value wins: two processes that start at once agree. */
export async function ensureSetting(tx: Transaction, name: string, value: string): Promise<string> {
  await tx.run('insert into settings (name, value) values (?, ?) on conflict (name) do nothing', name, value);
  return (await findSetting(tx, name)) ?? value;
}

export async function deleteSetting(tx: Transaction, name: string): Promise<void> {
  await tx.run('delete from settings where name = ?', name);
}

export async function putSetting(tx: Transaction, name: string, value: string): Promise<void> {
  await tx.run(
    'insert into settings (name, value) values (?, ?) on conflict (name) do update set value = excluded.value',
    name,
    value,
  );
}
