/** `sendonce doctor`: checks what the server stands on, and says what to do about what is wrong. */

import { existsSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import { connect } from 'node:net';
import { dirname } from 'node:path';
import type { Config } from '../config/config.ts';
import { parseRelayUrl } from '../deliver/smtp-url.ts';
import { databaseName, isThere } from '../open-database.ts';
import { isBehind, readWitness } from '../restore-guard.ts';
import type { Database } from '../store/database.ts';
import { countOpen } from '../store/mail/holds.ts';
import { findProgress, findWentBack } from '../store/progress.ts';
import { withDatabase } from './terminal.ts';

type Finding = { is: 'ok' | 'note' | 'FAIL'; text: string };

/** Under this the next burst of attachments may fill the disk. */
const freeBytesMin = 500 * 1024 * 1024;
const connectTimeoutMs = 5_000;

/** Prints a line a check; the exit status is 1 when one of them failed. */
export async function doctor(config: Config): Promise<void> {
  const findings = [...(await checkDatabase(config)), await checkDisk(config), await checkRelay(config)];
  for (const { is, text } of findings) console.log(`${is.padEnd(5)} ${text}`);
  if (findings.some(({ is }) => is === 'FAIL')) process.exitCode = 1;
}

async function checkDatabase(config: Config): Promise<Finding[]> {
  const name = databaseName(config.database);
  if (!isThere(config.database)) {
    return [{ is: 'ok', text: `${name} does not exist yet: the first start makes it` }];
  }
  try {
    return await withDatabase(config, { create: false }, async (database) => {
      const counts = await countOpen(database);
      const inDoubt = counts.in_doubt ?? 0;
      return [
        await checkEngine(name, database),
        { is: inDoubt === 0 ? 'ok' : 'FAIL', text: `${inDoubt} in doubt${inDoubt > 0 ? ': see sendonce queue' : ''}` },
        { is: 'ok', text: `${counts.queued ?? 0} queued` },
        await checkRestored(config, database),
      ];
    });
  } catch (error) {
    return [{ is: 'FAIL', text: `${name}: ${(error as Error).message}` }];
  }
}

async function checkEngine(name: string, database: Database): Promise<Finding> {
  if (database.engine === 'postgres') {
    const [server] = await database.report<{ version: string; synced: string }>(
      "select current_setting('server_version') as version, current_setting('synchronous_commit') as synced",
    );
    return { is: 'ok', text: `${name}: PostgreSQL ${server?.version}, synchronous_commit is ${server?.synced}` };
  }
  const [check] = await database.report<{ quick_check: string }>('pragma quick_check(1)');
  return { is: check?.quick_check === 'ok' ? 'ok' : 'FAIL', text: `${name}: quick_check says ${check?.quick_check}` };
}

/** Whether the database is one the witness has seen further along: its queue may have left already. */
async function checkRestored(config: Config, database: Database): Promise<Finding> {
  const progress = await findProgress(database);
  const witness = progress && (await readWitness(config.stateDir, progress.databaseId));
  if (!progress) return { is: 'ok', text: 'never served yet' };
  if (!witness) {
    const advice = 'if this is a restored backup, run sendonce queue hold before you start';
    return { is: 'note', text: `no witness of this database in STATE_DIR (${config.stateDir}): ${advice}` };
  }
  if (isBehind(progress, witness)) {
    return {
      is: 'FAIL',
      text: 'the database went back in time (a backup was restored?): the next start holds every open delivery; then look at sendonce queue and answer with sendonce queue settle EMAIL|all sent|send-again|abandon',
    };
  }
  const wentBack = await findWentBack(database);
  const history = wentBack
    ? `; it went back in time on ${new Date(wentBack.at).toISOString()}, ${wentBack.held} were held`
    : '';
  return { is: 'ok', text: `the witness in ${config.stateDir} agrees with the database${history}` };
}

/** Where PostgreSQL keeps its files is not for us to see: the witness is all we write then. */
async function checkDisk({ database, stateDir }: Config): Promise<Finding> {
  const wanted = database.engine === 'sqlite' ? dirname(database.path) : stateDir;
  const folder = existsSync(wanted) ? wanted : '.';
  const { bavail, bsize } = await statfs(folder);
  const free = bavail * bsize;
  return {
    is: free >= freeBytesMin ? 'ok' : 'FAIL',
    text: `${Math.round(free / 1024 / 1024)} MB free for the database`,
  };
}

async function checkRelay(config: Config): Promise<Finding> {
  if (config.relayUrl === 'capture:') return { is: 'ok', text: 'capture: mail is kept, nothing leaves' };
  const { host, port } = parseRelayUrl(config.relayUrl);
  const problem = await new Promise<string | null>((resolve) => {
    const socket = connect({ host, port, timeout: connectTimeoutMs });
    const end = (result: string | null) => {
      socket.destroy();
      resolve(result);
    };
    socket.once('data', (greeting) => end(greeting.toString().startsWith('220') ? null : `it says ${greeting}`.trim()));
    socket.once('connect', () => port === 465 && end(null));
    socket.once('timeout', () => end(`no greeting within ${connectTimeoutMs / 1_000} s`));
    socket.once('error', (error) => end(error.message));
  });
  const where = `relay ${host}:${port}`;
  return problem === null
    ? { is: 'ok', text: `${where} answers` }
    : {
        is: 'FAIL',
        text: `${where}: ${problem}. Mail waits in the queue until it answers; check RELAY_URL and the firewall`,
      };
}
