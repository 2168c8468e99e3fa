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
 * says nothing of relays. @throws Error where mail left before, and nobody has said that it is to be captured now.
 */
export async function guardRelay(database: Database, use: RelayUse): Promise<void> {
  if (use.role === 'api') return;
  const refusal = await findLostRelay(database, use);
  if (refusal !== null) throw new Error((await waiting(database)) + refusal);
  const leaves = use.relay.kind !== 'capture';
  if (leaves === (await left(database))) return;
  await database.write((tx) => (leaves ? putSetting(tx, mark, 'yes') : deleteSetting(tx, mark)));
}

/** The sentence that says so; null: mail leaves, never left, or is meant to be captured. */
export async function findLostRelay(database: Reader, { relay, role, given }: RelayUse): Promise<string | null> {
  const isMeant = given.RELAY_URL !== undefined || given.RELAY_URL_FILE !== undefined;
  if (role === 'api' || relay.kind !== 'capture' || isMeant || !(await left(database))) return null;
  return (
    'This database was last served with a relay, and now neither RELAY_URL nor RELAYS_FILE is set: mail would be ' +
    'captured, and never leave. Set the relay again (is the name misspelt?), or RELAY_URL=capture: if that is meant.'
  );
}

async function left(reader: Reader): Promise<boolean> {
  return (await findSetting(reader, mark)) !== null;
}

async function waiting(database: Database): Promise<string> {
  const { queued } = await countOpen(database);
  return queued === 0 ? '' : `${queued.toLocaleString('en-US')} mails wait to be sent. `;
}
