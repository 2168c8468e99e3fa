/** Keeps mail that is to leave from being captured because the setting that names the relay is gone, or misspelt. */

import type { Config } from '../config/config.ts';
import { deleteSetting, findSetting, putSetting } from '../store/accounts.ts';
import type { Database, Reader } from '../store/database.ts';
import { countOpen } from '../store/mail/open.ts';

export type RelayUse = Pick<Config, 'relay' | 'role' | 'given'>;

/** In a database whose mail left by a relay when it was last served. */
const mark = 'mail_leaves';

/**
 * Notes whether mail leaves from here on. To be called before anything is served or claimed. A process that only takes mail in
 * says nothing of relays. @throws Error where mail waits to leave, and nobody has said that it is to be captured now.
 */
export async function guardRelay(database: Database, use: RelayUse): Promise<void> {
  if (use.role === 'api') return;
  const refusal = await findLostRelay(database, use);
  if (refusal !== null) throw new Error(refusal);
  const leaves = use.relay.kind !== 'capture';
  if (leaves === (await left(database))) return;
  await database.write((tx) => (leaves ? putSetting(tx, mark, 'yes') : deleteSetting(tx, mark)));
}

/** The sentence that says so; null: mail leaves, never left, is meant to be captured, or none waits. */
export async function findLostRelay(database: Database, { relay, role, given }: RelayUse): Promise<string | null> {
  const isMeant = given.RELAY_URL !== undefined || given.RELAY_URL_FILE !== undefined;
  if (role === 'api' || relay.kind !== 'capture' || isMeant || !(await left(database))) return null;
  const waiting = Object.values(await countOpen(database)).reduce((sum, count) => sum + count, 0);
  if (waiting === 0) return null;
  const mails = waiting === 1 ? '1 email that is' : `${waiting.toLocaleString('en-US')} emails that are`;
  return (
    `This database has ${mails} to leave by a relay, and now neither RELAY_URL nor RELAYS_FILE is set: they would be ` +
    'captured, and never leave. Set the relay again (is the name misspelt?), or RELAY_URL=capture: if that is meant.'
  );
}

async function left(reader: Reader): Promise<boolean> {
  return (await findSetting(reader, mark)) !== null;
}
