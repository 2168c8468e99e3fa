/** A command beside the server has had somebody forgotten: the server, which reads in the log all the time, empties it. */

import { deleteSetting, ensureSetting, findSetting } from '../store/accounts.ts';
import type { Database, Reader } from '../store/database.ts';

const asked = 'empty_log';

export async function askForEmptyLog(database: Database): Promise<void> {
  await database.write((tx) => ensureSetting(tx, asked, 'asked'));
}

export async function isEmptyLogAsked(reader: Reader): Promise<boolean> {
  return (await findSetting(reader, asked)) !== null;
}

export async function emptyLogIfAsked(database: Database): Promise<void> {
  if (!(await isEmptyLogAsked(database))) return;
  if (await database.emptyLog()) await database.write((tx) => deleteSetting(tx, asked));
}
