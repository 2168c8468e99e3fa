/** `sendonce outbox`: the table in the caller's database, the drain, and what a person answers for rows that are parked. */

import { readFileSync } from 'node:fs';
import { runDrain } from '../client/outbox/drain.ts';
import { type OutboxDatabase, openOutboxDatabase } from '../client/outbox/engine.ts';
import { renderMetrics, serveMetrics } from '../client/outbox/metrics.ts';
import { dropRows, type OutboxStatus, readStatus, retryRows } from '../client/outbox/people.ts';
import { tableSql } from '../client/outbox/table.ts';
import { CommandError, printable, relativeTime, table } from './terminal.ts';

export type OutboxFlags = {
  database?: string;
  to?: string;
  key?: string;
  lanes?: string;
  rate?: string;
  'key-lifetime'?: string;
  'metrics-port'?: string;
  print?: boolean;
  once?: boolean;
};

const usage = `Usage: sendonce outbox init --database URL | --print [--database URL]
       sendonce outbox drain --database URL --to URL --key KEY [--once] [--lanes N] [--rate N] [--key-lifetime 30d] [--metrics-port N]
       sendonce outbox status --database URL
       sendonce outbox retry ID|all --database URL
       sendonce outbox drop ID --database URL
Instead of --database and --key: OUTBOX_DATABASE_URL and OUTBOX_KEY, or files that OUTBOX_DATABASE_URL_FILE and OUTBOX_KEY_FILE name.`;

export async function outbox(
  [action = '', id]: string[],
  flags: OutboxFlags,
  environment = process.env,
): Promise<void> {
  if (action === 'init' && flags.print) return console.log(tableSql(printedEngine(flags.database)));
  const isKnown =
    ['init', 'drain', 'status'].includes(action) || (['retry', 'drop'].includes(action) && id !== undefined);
  if (!isKnown) throw new CommandError(usage);
  for (const warning of visible(flags)) console.error(warning);
  const database = await open(flags, environment, action === 'init');
  try {
    if (action === 'init') return await init(database);
    await requireTable(database);
    if (action === 'drain') return await drain(database, flags, environment);
    if (action === 'status') return console.log(renderStatus(await readStatus(database), Date.now()));
    if (action === 'retry') return await retry(database, id ?? '');
    return await drop(database, id ?? '');
  } finally {
    await database.close();
  }
}

/** For PostgreSQL, where nothing says that it is not. */
function printedEngine(url = ''): 'postgres' | 'sqlite' {
  return url.startsWith('sqlite:') || url === 'sqlite' ? 'sqlite' : 'postgres';
}

async function init(database: OutboxDatabase): Promise<void> {
  await database.script(tableSql(database.engine));
  console.log(
    "The table sendonce_outbox is there. A row is one email:\n\n  insert into sendonce_outbox (id, payload) values ('order-paid/1', '{\"from\": …}');",
  );
}

async function requireTable(database: OutboxDatabase): Promise<void> {
  try {
    await database.all('select seq from sendonce_outbox limit 1');
  } catch (error) {
    throw new CommandError(
      `The table sendonce_outbox cannot be read: ${(error as Error).message}. "sendonce outbox init" makes it.`,
    );
  }
}

const statusEveryMs = 10_000;

async function drain(database: OutboxDatabase, flags: OutboxFlags, environment: NodeJS.ProcessEnv): Promise<void> {
  const to = flags.to ?? environment.OUTBOX_TO;
  const key = secret(flags.key, 'OUTBOX_KEY', environment);
  if (!to || !/^https?:\/\//.test(to) || !URL.canParse(to)) throw new CommandError(`--to must be a URL.\n\n${usage}`);
  if (!key) throw new CommandError(`There is no API key.\n\n${usage}`);
  const ending = new AbortController();
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => ending.abort());
  const line = new StatusLine(database);
  const metrics = flags['metrics-port'] === undefined ? null : serveMetrics(port(flags), () => line.metrics());
  const resend = lifetimeMs(flags['key-lifetime']);
  try {
    await runDrain(database, {
      to,
      key,
      once: flags.once,
      signal: ending.signal,
      lanes: count('lanes', flags.lanes) ?? undefined,
      ratePerSecond: count('rate', flags.rate),
      keyLifetimeMs: resend === null ? {} : { resend },
      onProgress: (progress) => line.show(progress),
    });
    await line.last();
  } finally {
    metrics?.close();
  }
}

/** What has been done, now and then, and what is wrong at once. */
class StatusLine {
  readonly #database: OutboxDatabase;
  #progress: Parameters<typeof renderMetrics>[1] = { sent: 0, parked: 0, later: 0, trouble: null };
  #shownAt = performance.now();
  #trouble: string | null = null;

  constructor(database: OutboxDatabase) {
    this.#database = database;
  }

  show(progress: Parameters<typeof renderMetrics>[1]): void {
    this.#progress = progress;
    if (progress.trouble !== null && progress.trouble !== this.#trouble)
      console.error(`outbox: ${printable(progress.trouble)}`);
    this.#trouble = progress.trouble;
    if (performance.now() - this.#shownAt < statusEveryMs) return;
    this.#shownAt = performance.now();
    void this.last().catch(() => {});
  }

  metrics(): Promise<string> {
    return renderMetrics(this.#database, this.#progress);
  }

  async last(): Promise<void> {
    const { waiting, parked } = await readStatus(this.#database);
    console.log(`outbox: ${this.#progress.sent} sent · ${waiting} waiting · ${parked} parked`);
  }
}

function renderStatus(status: OutboxStatus, now: number): string {
  const { waiting, parked, sent, dropped, heldUp, oldestMs, parkedRows } = status;
  const oldest = oldestMs === null ? '' : `, the oldest ${relativeTime(now - oldestMs, now)}`;
  const head = `${waiting} waiting${oldest} · ${heldUp} of them behind a parked one · ${parked} parked · ${sent} sent · ${dropped} dropped`;
  if (parkedRows.length === 0) return head;
  const rows = parkedRows.map(({ id, because, attempts, since, error }) => [
    id,
    because,
    String(attempts),
    relativeTime(since, now),
    printable(error ?? ''),
  ]);
  const more = parked > rows.length ? `\n… and ${parked - rows.length} more.` : '';
  return `${head}\n\n${table(['PARKED', 'BECAUSE', 'TRIES', 'SINCE', 'LAST ANSWER'], rows)}${more}\n${parkedHelp}`;
}

const parkedHelp = `
  sendonce outbox retry ID    once its cause is mended: under the same key. One that is parked as "unknown" may have been
                              accepted, and its key may be forgotten by now: look for it first
  sendonce outbox drop ID     it is not sent (again)`;

async function retry(database: OutboxDatabase, id: string): Promise<void> {
  const rows = await retryRows(database, id === 'all' ? null : id);
  if (rows === 0 && id !== 'all') throw new CommandError(`No row "${id}" is parked.`);
  console.log(rows === 1 ? 'It is tried again.' : `${rows} are tried again.`);
}

async function drop(database: OutboxDatabase, id: string): Promise<void> {
  const rows = await dropRows(database, id);
  if (rows === 0) throw new CommandError(`No row "${id}" is parked, or waits for its first try.`);
  console.log(rows === 1 ? 'It is dropped.' : `${rows} are dropped: the batch had one key.`);
}

async function open(flags: OutboxFlags, environment: NodeJS.ProcessEnv, makesFile: boolean): Promise<OutboxDatabase> {
  const url = secret(flags.database, 'OUTBOX_DATABASE_URL', environment);
  if (!url) throw new CommandError(`There is no database.\n\n${usage}`);
  try {
    return await openOutboxDatabase(url, { makesFile });
  } catch (error) {
    throw new CommandError(`The outbox's database cannot be opened: ${(error as Error).message}`);
  }
}

function secret(given: string | undefined, name: string, environment: NodeJS.ProcessEnv): string | undefined {
  const path = environment[`${name}_FILE`];
  if (given !== undefined || environment[name] !== undefined || path === undefined) return given ?? environment[name];
  try {
    return readFileSync(path, 'utf8').trim();
  } catch (error) {
    throw new CommandError(`${name}_FILE names a file that cannot be read: ${(error as Error).message}`);
  }
}

function* visible({ key, database = '' }: OutboxFlags): Generator<string> {
  const told = (flag: string, name: string) =>
    `sendonce: --${flag} has a secret in it, which every user of this machine can see (ps): use ${name} or ${name}_FILE.`;
  if (key !== undefined) yield told('key', 'OUTBOX_KEY');
  if (/:[^/@]+@/.test(database)) yield told('database', 'OUTBOX_DATABASE_URL');
}

function count(flag: string, text: string | undefined): number | null {
  if (text === undefined) return null;
  const value = Number(text);
  if (value > 0 && value <= 1_000) return flag === 'lanes' ? Math.ceil(value) : value;
  throw new CommandError(`--${flag} must be a number from 1 to 1000, not "${text}".`);
}

function port(flags: OutboxFlags): number {
  const value = Number(flags['metrics-port']);
  if (Number.isInteger(value) && value >= 0 && value <= 65_535) return value;
  throw new CommandError(`--metrics-port must be a port, not "${flags['metrics-port']}".`);
}

/** As KEY_LIFETIME of the server has it. */
function lifetimeMs(text: string | undefined): number | null {
  if (text === undefined) return null;
  const [, hours, unit] = /^(\d{1,4})([hd])$/.exec(text.toLowerCase()) ?? [];
  if (hours === undefined) throw new CommandError(`--key-lifetime is written as 48h or 30d, not "${text}".`);
  return Number(hours) * (unit === 'd' ? 24 : 1) * 3_600_000;
}
