/** What `sendonce doctor` says of the database: whether it is whole, whose it is, how far it has come, and what waits in it. */

import { dirname } from 'node:path';
import type { Config } from '../../config/config.ts';
import { anyDomain } from '../../core/account.ts';
import { databaseName, isThere } from '../../process/open-database.ts';
import { findLostRelay } from '../../process/relay-guard.ts';
import { isBehind, readWitness } from '../../process/restore-guard.ts';
import { problemOfSecretKey } from '../../process/secret-key.ts';
import { whyNotMade } from '../../process/state-dir.ts';
import { listGrants } from '../../store/account-domains.ts';
import type { Database } from '../../store/database.ts';
import { findHang, type HangCause } from '../../store/engine/postgres/watch.ts';
import { findDamage } from '../../store/engine/sqlite/copies.ts';
import { countOpen } from '../../store/mail/open.ts';
import { findProgress } from '../../store/progress.ts';
import { findWentBack } from '../../store/went-back.ts';
import { withDatabase } from '../terminal.ts';
import { checkClock } from './clock.ts';
import { checkDomains } from './domains.ts';
import { type Finding, fail, found, ok } from './finding.ts';

export async function checkDatabase(config: Config): Promise<Finding[]> {
  const name = databaseName(config.database);
  if (!isThere(config.database)) return [checkPlace(config)];
  const inTheWay = (await checkCommits(name, config)) ?? (await checkWhole(config));
  if (inTheWay) return [inTheWay];
  return withDatabase(config, { create: false }, async (database) => [
    ...(await found({ of: name, find: () => checkEngine(name, database) })),
    ...(await found({ of: 'clock', find: () => checkClock(database) })),
    ...(await found({ of: 'secret key', find: () => checkSecretKey(config, database) })),
    ...(await found({ of: 'relay', find: () => checkLostRelay(config, database) })),
    ...(await found({ of: 'accounts', find: () => checkAccounts(database) })),
    ...(await found({ of: 'queue', find: () => checkQueue(database) })),
    ...(await found({ of: 'witness', find: () => checkRestored(config, database) })),
    ...(await found({ of: 'domains', find: () => checkDomains(config, database) })),
  ]);
}

/** Where the first start makes it. */
function checkPlace({ database }: Config): Finding {
  const name = databaseName(database);
  const why = database.engine === 'sqlite' ? whyNotMade(dirname(database.path)) : null;
  if (why === null) return ok(`${name} does not exist yet: the first start makes it`);
  return fail(
    `${name} does not exist, and cannot be made: ${why}. DATABASE_URL must name a path in a folder that this user may write to`,
  );
}

/** Before anything is written to it, and to a file that cannot be opened at all. Null: it is whole, or a server's own to check. */
async function checkWhole({ database }: Config): Promise<Finding | null> {
  if (database.engine !== 'sqlite') return null;
  const damage = await findDamage(database.path, 'quick_check');
  if (damage === null) return null;
  return fail(
    `${database.path} is damaged (${damage.replaceAll('\n', ' ')}): stop the server and put a backup back with sendonce restore FILE. Without one, sqlite3 ${database.path} .recover saves what can be read`,
  );
}

async function checkSecretKey(config: Config, database: Database): Promise<Finding[]> {
  const problem = await problemOfSecretKey(database, config);
  if (problem !== null) return [{ is: 'FAIL', text: problem }];
  return [{ is: 'ok', text: 'the secret key is the one the database is served with' }];
}

async function checkLostRelay(config: Config, database: Database): Promise<Finding[]> {
  const refusal = await findLostRelay(database, config);
  return refusal === null ? [] : [fail(refusal)];
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
  return [ok(`${name}: quick_check finds nothing wrong`)];
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
