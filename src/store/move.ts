/** Copies everything from a SQLite database into an empty PostgreSQL one, in steps that may be interrupted anywhere. */

import { deleteSetting, findSetting, putSetting } from './accounts.ts';
import type { Database, SqlValue } from './database.ts';
import { findProgress } from './progress.ts';

/** In the target while it is filled: nobody may serve half a database. */
const movingIn = 'moving_in';
/** In the source afterwards: what is queued there is somebody else's to send. */
const movedTo = 'moved_to';

/** Of no use to another database: which migrations ran, and who beats. */
const ownTables = new Set(['migrations', 'workers']);

/** Rows one transaction copies, and those that are files, which may have 30 MB each. */
const rowsAtOnce = 500;
const filesAtOnce = 2;
const tablesOfFiles = new Set(['attachments', 'shared_files']);

type Table = { name: string; columns: string[]; key: string[]; rows: number };

/** How far a move is, in rows of all tables. */
export type MoveProgress = { table: string; isTableDone: boolean; done: number; total: number };

/** The rows of a table on both sides, the mark of the move left out. */
export type Compared = { table: string; here: number; there: number };

/** @throws Error where a move is under way, or has left nothing to serve, to ask or to change. */
export async function refuseMoved(database: Database): Promise<void> {
  const reason = await findReason(database);
  if (reason !== null) throw new Error(`This database cannot be served. ${reason}`);
}

async function findReason(database: Database): Promise<string | null> {
  if ((await findSetting(database, movingIn)) !== null) {
    return 'It is being filled by `sendonce migrate --from … --to …`: run the same command again, it goes on to the end.';
  }
  const target = await findSetting(database, movedTo);
  return target === null ? null : `Everything in it was moved to ${target}: serve that one.`;
}

/**
 * @throws Error when the source was moved already, when it went on since an earlier call, or the target has content of its own.
 */
export async function beginMove(source: Database, target: Database, sourceName: string): Promise<void> {
  const mark = await markOf(source, sourceName);
  const begun = await findSetting(target, movingIn);
  if (begun === mark) return;
  if (begun !== null) {
    throw new Error(`What has arrived is of ${begun}, the source is at ${mark} now. Give it a new, empty database.`);
  }
  // What was queued in it has left from there: a second copy would send it again.
  await refuseMoved(source);
  const [account] = await target.all('select id from accounts limit 1');
  if (account) throw new Error('The target is not empty: it has been served. Give it a new database.');
  await target.write((tx) => putSetting(tx, movingIn, mark));
}

/** How far it had come, too: of one that was served since, rows that arrived are stale, and mail would leave twice. */
async function markOf(source: Database, name: string): Promise<string> {
  const progress = await findProgress(source);
  return progress ? `${name} (start ${progress.generation}, event ${progress.eventId})` : name;
}

/** Goes on where an earlier call was interrupted: rows are copied in the order of their keys. */
export async function copyAll(
  source: Database,
  target: Database,
  onProgress: (progress: MoveProgress) => void,
): Promise<void> {
  const tables = await tablesOf(source);
  const total = tables.reduce((sum, { rows }) => sum + rows, 0);
  let done = 0;
  for (const table of tables) {
    let copied = await countRows(target, table.name);
    const tell = (isTableDone: boolean) => {
      const rows = isTableDone ? table.rows : Math.min(copied, table.rows);
      onProgress({ table: table.name, isTableDone, done: done + rows, total });
    };
    tell(false);
    for await (const rows of copyTable(source, target, table)) {
      copied += rows;
      tell(false);
    }
    await continueNumbers(target, table.name);
    tell(true);
    done += table.rows;
  }
}

/** The source may not be served from here on, and then the target may. @throws Error when something is missing. */
export async function endMove(source: Database, target: Database, targetName: string): Promise<Compared[]> {
  const compared: Compared[] = [];
  for (const { name, rows: here } of await tablesOf(source)) {
    // The mark of the move itself is one row of settings.
    const there = (await countRows(target, name)) - (name === 'settings' ? 1 : 0);
    if (there < here) throw new Error(`${name} has ${here} rows, but only ${there} have arrived.`);
    compared.push({ table: name, here, there });
  }
  await source.write((tx) => putSetting(tx, movedTo, targetName));
  await target.write(async (tx) => {
    await deleteSetting(tx, movingIn);
    // A run that was interrupted after the source had its mark copied that, too.
    await deleteSetting(tx, movedTo);
  });
  return compared;
}

/** In the order they were made, so that what others refer to comes first. */
async function tablesOf(source: Database): Promise<Table[]> {
  const names = await source.all<{ name: string }>(
    "select name from sqlite_master where type = 'table' and name not like 'sqlite_%' order by rowid",
  );
  const tables: Table[] = [];
  for (const { name } of names) {
    if (ownTables.has(name)) continue;
    const columns = await source.all<{ name: string; pk: number }>('select name, pk from pragma_table_info(?)', name);
    const key = columns.filter(({ pk }) => pk > 0).sort((a, b) => a.pk - b.pk);
    const rows = await countRows(source, name);
    tables.push({ name, columns: columns.map((one) => one.name), key: key.map((one) => one.name), rows });
  }
  return tables;
}

async function countRows(database: Database, table: string): Promise<number> {
  const [row] = await database.report<{ rows: number }>(`select count(*) as rows from ${table}`);
  return row?.rows ?? 0;
}

type Row = Record<string, SqlValue>;

async function* copyTable(source: Database, target: Database, table: Table): AsyncGenerator<number> {
  const { name, columns, key } = table;
  const insert = `insert into ${name} (${columns.join(', ')}) overriding system value
    values (${columns.map(() => '?').join(', ')}) on conflict do nothing`;
  const limit = tablesOfFiles.has(name) ? filesAtOnce : rowsAtOnce;
  let last = await lastRow(target, table);
  for (;;) {
    const after: string = last ? `where (${key.join(', ')}) > (${key.map(() => '?').join(', ')})` : '';
    const rows: Row[] = await source.all<Row>(
      `select ${columns.join(', ')} from ${name} ${after} order by ${key.join(', ')} limit ?`,
      ...(last ? valuesOf(last, key) : []),
      limit,
    );
    if (rows.length === 0) return;
    await target.write((tx) => Promise.all(rows.map((row) => tx.run(insert, ...valuesOf(row, columns)))), {
      patient: true,
    });
    last = rows.at(-1) ?? null;
    yield rows.length;
  }
}

/**
 * The last one that arrived, as SQLite orders them: by bytes. Settings come from the start every time: the move's own mark
 * is one of them.
 */
async function lastRow(target: Database, { name, key }: Table): Promise<Row | null> {
  if (name === 'settings') return null;
  const types = await target.all<{ column_name: string; data_type: string }>(
    'select column_name, data_type from information_schema.columns where table_schema = current_schema() and table_name = ?',
    name,
  );
  const isText = new Set(types.filter((one) => one.data_type === 'text').map((one) => one.column_name));
  const order = key.map((column) => `${column}${isText.has(column) ? ' collate "C"' : ''} desc`).join(', ');
  const [row] = await target.report<Row>(`select ${key.join(', ')} from ${name} order by ${order} limit 1`);
  return row ?? null;
}

function valuesOf(row: Row, columns: string[]): SqlValue[] {
  return columns.map((column) => row[column] ?? null);
}

/** Numbers the database gives go on after those that were copied. */
async function continueNumbers(target: Database, table: string): Promise<void> {
  const [identity] = await target.all<{ name: string }>(
    `select column_name as name from information_schema.columns
     where table_schema = current_schema() and table_name = ? and is_identity = 'YES'`,
    table,
  );
  if (!identity) return;
  await target.write((tx) =>
    tx.all(
      `select setval(pg_get_serial_sequence(?, ?), greatest(1, (select max(${identity.name}) from ${table})))`,
      table,
      identity.name,
    ),
  );
}
