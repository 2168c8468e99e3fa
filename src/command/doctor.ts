/** `sendonce doctor`: checks what the server stands on, and says what to do about what is wrong. */

import { existsSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Config, Examined } from '../config/config.ts';
import type { RelayServer } from '../config/relay-url.ts';
import type { Problem, SettingName } from '../config/settings.ts';
import { anyDomain } from '../core/account.ts';
import { adviceOnTrouble } from '../core/relay-trouble.ts';
import { databaseName, isThere } from '../process/open-database.ts';
import { findOpenings, mayBeReplaced, writeMode } from '../process/own-files.ts';
import { testRelay } from '../process/relay-test.ts';
import { isBehind, readWitness } from '../process/restore-guard.ts';
import { problemOfSecretKey } from '../process/secret-key.ts';
import { listGrants } from '../store/account-domains.ts';
import type { Database } from '../store/database.ts';
import { findHang, type HangCause } from '../store/engine/postgres/watch.ts';
import { countOpen } from '../store/mail/open.ts';
import { findProgress } from '../store/progress.ts';
import { findWentBack } from '../store/went-back.ts';
import { printable, withDatabase } from './terminal.ts';

type Finding = { is: 'ok' | 'note' | 'FAIL'; text: string };

/** `of` names what is checked, where the check itself cannot say any more. */
type Check = { of: string; find: () => Promise<Finding[]> };

/** Under this the next burst of attachments may fill the disk. */
const freeBytesMin = 500 * 1024 * 1024;
/** Prints a line a check, whatever the others find; the exit status is 1 when one of them failed. */
export async function doctor({ config, problems }: Examined): Promise<void> {
  const findings = settingsFound(problems);
  for (const check of checksOf(config, problems)) findings.push(...(await found(check)));
  for (const { is, text } of findings) console.log(`${is.padEnd(5)} ${text}`);
  if (findings.some(({ is }) => is === 'FAIL')) process.exitCode = 1;
}

function settingsFound(problems: readonly Problem[]): Finding[] {
  if (problems.length === 0) return [{ is: 'ok', text: 'the settings can be used' }];
  return problems.map(({ text }) => ({ is: 'FAIL', text }));
}

/** What a setting that is wrong leaves to be checked. */
function checksOf(config: Config, problems: readonly Problem[]): Check[] {
  const isWrong = (name: SettingName) => problems.some(({ setting }) => setting === name);
  const knowsDatabase = !isWrong('DATABASE_URL');
  const folder = config.database.engine === 'sqlite' && knowsDatabase ? dirname(config.database.path) : config.stateDir;
  return [
    ...(knowsDatabase ? [{ of: databaseName(config.database), find: () => checkDatabase(config) }] : []),
    { of: 'disk', find: () => checkDisk(folder) },
    ...(knowsDatabase ? [{ of: 'files', find: async () => checkFiles(config) }] : []),
    ...(isWrong('RELAY_URL') || isWrong('RELAYS_FILE') ? [] : [{ of: 'relay', find: () => checkRelays(config) }]),
    { of: 'DKIM', find: async () => checkDkim(config) },
  ];
}

async function found({ of, find }: Check): Promise<Finding[]> {
  try {
    return await find();
  } catch (error) {
    return [{ is: 'FAIL', text: `${of}: ${(error as Error).message}` }];
  }
}

async function checkDatabase(config: Config): Promise<Finding[]> {
  const name = databaseName(config.database);
  if (!isThere(config.database)) {
    return [{ is: 'ok', text: `${name} does not exist yet: the first start makes it` }];
  }
  const hanging = await checkCommits(name, config);
  if (hanging) return [hanging];
  return withDatabase(config, { create: false }, async (database) => [
    ...(await found({ of: name, find: () => checkEngine(name, database) })),
    ...(await found({ of: 'secret key', find: () => checkSecretKey(config, database) })),
    ...(await found({ of: 'accounts', find: () => checkAccounts(database) })),
    ...(await found({ of: 'queue', find: () => checkQueue(database) })),
    ...(await found({ of: 'witness', find: () => checkRestored(config, database) })),
  ]);
}

async function checkSecretKey(config: Config, database: Database): Promise<Finding[]> {
  const problem = await problemOfSecretKey(database, config);
  if (problem !== null) return [{ is: 'FAIL', text: problem }];
  return [{ is: 'ok', text: 'the secret key is the one the database is served with' }];
}

/** Those an older version made may send as anybody until the operator has said otherwise. */
async function checkAccounts(database: Database): Promise<Finding[]> {
  const grants = await listGrants(database);
  const names = grants.filter(({ domain }) => domain === anyDomain).map(({ account }) => account);
  if (names.length === 0) return [];
  const text = `may send from any domain that no other account was given: ${names.join(', ')}. See sendonce account allow and disallow`;
  return [{ is: 'note', text }];
}

/** Before anything else: the first thing a connection does is to commit. Null: nothing hangs. */
async function checkCommits(name: string, { database }: Config): Promise<Finding | null> {
  const cause = database.engine === 'postgres' ? await findHang(database.url) : null;
  return cause && { is: 'FAIL', text: `${name}: commits hang (${cause}): ${hangAdvice[cause]}` };
}

const hangAdvice: Record<HangCause, string> = {
  SyncRep:
    'no synchronous standby confirms them; bring one back, or change synchronous_standby_names and lose what it promises',
  disk: 'the disk does not take them',
  lock: 'another session holds what they need; see pg_stat_activity',
  server: 'the server does not say why',
};

async function checkQueue(database: Database): Promise<Finding[]> {
  const { in_doubt: inDoubt = 0, queued = 0 } = await countOpen(database);
  return [
    { is: inDoubt === 0 ? 'ok' : 'FAIL', text: `${inDoubt} in doubt${inDoubt > 0 ? ': see sendonce queue' : ''}` },
    { is: 'ok', text: `${queued} queued` },
  ];
}

async function checkEngine(name: string, database: Database): Promise<Finding[]> {
  if (database.engine === 'postgres') {
    const [server] = await database.report<{ version: string; synced: string }>(
      "select current_setting('server_version') as version, current_setting('synchronous_commit') as synced",
    );
    return [{ is: 'ok', text: `${name}: PostgreSQL ${server?.version}, synchronous_commit is ${server?.synced}` }];
  }
  const [check] = await database.report<{ quick_check: string }>('pragma quick_check(1)');
  const is = check?.quick_check === 'ok' ? 'ok' : 'FAIL';
  return [{ is, text: `${name}: quick_check says ${check?.quick_check}` }];
}

/** Whether the database is one the witness has seen further along: its queue may have left already. */
async function checkRestored(config: Config, database: Database): Promise<Finding[]> {
  const progress = await findProgress(database);
  const witness = progress && (await readWitness(config.stateDir, progress.databaseId));
  if (!progress) return [{ is: 'ok', text: 'never served yet' }];
  if (!witness) {
    const advice = 'if this is a restored backup, run sendonce queue hold before you start';
    return [{ is: 'note', text: `no witness of this database in STATE_DIR (${config.stateDir}): ${advice}` }];
  }
  if (isBehind(progress, witness)) {
    const text =
      'the database went back in time (a backup was restored?): the next start holds every open delivery; then look at sendonce queue and answer with sendonce queue settle EMAIL|all sent|send-again|abandon';
    return [{ is: 'FAIL', text }];
  }
  const wentBack = await findWentBack(database);
  const history = wentBack
    ? `; it went back in time on ${new Date(wentBack.at).toISOString()}, ${wentBack.held} were held`
    : '';
  return [{ is: 'ok', text: `the witness in ${config.stateDir} agrees with the database${history}` }];
}

/** Where PostgreSQL keeps its files is not for us to see: the witness is all we write then. */
async function checkDisk(wanted: string): Promise<Finding[]> {
  const { bavail, bsize } = await statfs(existsSync(wanted) ? wanted : '.');
  const free = bavail * bsize;
  const is = free >= freeBytesMin ? 'ok' : 'FAIL';
  return [{ is, text: `${Math.round(free / 1024 / 1024)} MB free for the database` }];
}

/** What others may open of ours, and the folders that are not ours to close. */
function checkFiles(config: Config): Finding[] {
  const { ours, shared } = findOpenings(config);
  const open = ours.map(({ path, mode }): Finding => {
    const text = `${path} is open to other users (mode ${writeMode(mode)}): the next start closes it, or chmod go= ${path}`;
    return { is: 'FAIL', text };
  });
  const folders = shared.map((folder): Finding => {
    const what = `${folder.path} (mode ${writeMode(folder.mode)}) is not for Sendonce alone and stays as it is`;
    if (!mayBeReplaced(folder)) return { is: 'note', text: `${what}; a folder of its own would be closed to others` };
    return { is: 'FAIL', text: `${what}: others could replace the files in it. Give it a folder of its own` };
  });
  return [...(open.length === 0 ? [filesAreClosed] : []), ...open, ...folders];
}

const filesAreClosed: Finding = { is: 'ok', text: 'no other user of this machine can open its files' };

async function checkRelays({ relay }: Config): Promise<Finding[]> {
  switch (relay.kind) {
    case 'capture':
      return [{ is: 'ok', text: 'capture: mail is kept, nothing leaves' }];
    case 'smtp':
      return [await checkRelay(`relay ${relay.server.host}:${relay.server.port}`, relay.server)];
    case 'file': {
      const { relays, routes } = relay.file;
      const all = relays.map(({ name, server }) => checkRelay(`relay ${name} (${server.host}:${server.port})`, server));
      return [
        ...(await Promise.all(all)),
        { is: 'ok', text: `${routes.length} routes between ${relays.length} relays` },
      ];
    }
    default:
      return relay satisfies never;
  }
}

async function checkRelay(where: string, server: RelayServer): Promise<Finding> {
  const tested = await testRelay(server);
  if (!('trouble' in tested)) return { is: 'ok', text: `${where} ${tested.came.join(', ')}` };
  const { heading, next } = adviceOnTrouble(tested.trouble);
  const text = `${where}: ${heading.replace(/^The relay /, 'it ')} (${printable(tested.words)}). ${next} Until then mail waits in the queue.`;
  return { is: 'FAIL', text };
}

/** Those that cannot be used are among the settings' problems. */
function checkDkim({ dkim }: Config): Finding[] {
  return dkim.map(({ domain, selector }) => {
    const last = dkim.findLast((key) => key.domain === domain);
    if (last?.selector === selector) return { is: 'ok', text: `DKIM: ${domain} signs with selector ${selector}` };
    const advice = `selector ${last?.selector}, named later in DKIM_KEYS, signs instead`;
    return { is: 'note', text: `DKIM: ${domain} does not sign with selector ${selector}: ${advice}` };
  });
}
