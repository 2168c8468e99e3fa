/** SECRET_KEY: taken from the settings or from STATE_DIR, where it is made once, and the same for all processes of a database. */

import { randomBytes, randomUUID } from 'node:crypto';
import { closeSync, fsyncSync, linkSync, openSync, readFileSync, unlinkSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { Config } from '../config/config.ts';
import { createSecrets, type Secrets } from '../core/secrets.ts';
import { deleteSetting, ensureSetting, findSetting, putSetting } from '../store/accounts.ts';
import type { Database, Reader, Transaction } from '../store/database.ts';

export type SecretKeySetting = Pick<Config, 'secretKey' | 'secretKeyOld' | 'stateDir'>;

/** What the database knows of the key. */
const checkName = 'secret_key_check';

/** Signed links and sessions before there was a key outside the database: whoever has a copy of it could, too. */
const formerSecret = 'link_secret';

const fileName = 'sendonce-secret.key';

/** Also of one that is being written. */
export function isSecretKeyFile(name: string): boolean {
  return name === fileName || name.startsWith(`${fileName}.`);
}

/** @throws Error where the database was served with another key, saying what to do. */
export async function openSecrets(database: Database, setting: SecretKeySetting): Promise<Secrets> {
  const isNew = (await findSetting(database, checkName)) === null;
  const here = setting.secretKey ?? readKeyFile(setting.stateDir);
  if (here === null && !isNew) throw new Error(keyElsewhere(setting));
  const secrets = secretsOf(setting, here ?? makeKeyFile(setting.stateDir));
  if (await database.write((tx) => agree(tx, secrets))) return secrets;
  // Another process was first: what was made a moment ago is nobody's key.
  if (here === null) unlinkSync(join(setting.stateDir, fileName));
  throw new Error(anotherKey(setting));
}

/** What is wrong with the key of this process; null: it is the database's, or the database has none yet. */
export async function problemOfSecretKey(reader: Reader, setting: SecretKeySetting): Promise<string | null> {
  const known = await findSetting(reader, checkName);
  if (known === null) return null;
  const here = setting.secretKey ?? readKeyFile(setting.stateDir);
  if (here === null) return keyElsewhere(setting);
  return secretsOf(setting, here).checks.includes(known) ? null : anotherKey(setting);
}

/** The next start gives the database the key it has. */
export async function forgetSecretKey(database: Database): Promise<void> {
  await database.write((tx) => deleteSetting(tx, checkName));
}

function secretsOf({ secretKeyOld }: SecretKeySetting, key: string): Secrets {
  return createSecrets(secretKeyOld === null ? [key] : [key, secretKeyOld], randomBytes);
}

/** The first one decides; the one after it may be replaced by whoever has both. */
async function agree(tx: Transaction, { checks }: Secrets): Promise<boolean> {
  const known = await ensureSetting(tx, checkName, checks[0]);
  if (!checks.includes(known)) return false;
  await putSetting(tx, checkName, checks[0]);
  await deleteSetting(tx, formerSecret);
  return true;
}

function readKeyFile(stateDir: string): string | null {
  const path = join(stateDir, fileName);
  try {
    return readFileSync(path, 'utf8').trim();
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw new Error(`STATE_DIR: the secret key ${path} cannot be read: ${(cause as Error).message}`, { cause });
  }
}

/** Whole or not at all, and the one of whoever was first, where several processes share the folder. */
function makeKeyFile(stateDir: string): string {
  const path = join(stateDir, fileName);
  const own = `${path}.${randomUUID()}`;
  writeSynced(own, `${randomBytes(32).toString('base64url')}\n`);
  try {
    linkSync(own, path);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'EEXIST') throw cause;
  } finally {
    unlinkSync(own);
  }
  syncFolder(stateDir);
  return readFileSync(path, 'utf8').trim();
}

function writeSynced(path: string, text: string): void {
  const file = openSync(path, 'wx', 0o600);
  try {
    writeSync(file, text);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

function syncFolder(path: string): void {
  const folder = openSync(path, 'r');
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}

function keyElsewhere({ stateDir }: SecretKeySetting): string {
  return `SECRET_KEY is not set, and STATE_DIR (${stateDir}) has no ${fileName}, but this database was served with a key. ${share}`;
}

function anotherKey({ secretKey, stateDir }: SecretKeySetting): string {
  const whose = secretKey === null ? `The key in ${join(stateDir, fileName)}` : 'SECRET_KEY';
  return `${whose} is not the one this database is served with. ${share}`;
}

const share = `All its processes must share one: give this one the SECRET_KEY of the others, or the content of ${fileName} in the STATE_DIR of the first. A new key takes over where the one before it is given as SECRET_KEY_OLD. Where that is lost, stop all processes and run sendonce secret forget: sessions and links made under it end.`;
