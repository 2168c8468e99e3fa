/** Signing out of the page: ends every session of a key, wherever its cookies are. */

import { endSessions } from '../store/accounts.ts';
import type { Database } from '../store/database.ts';

export type SignOut = (keyId: string) => Promise<void>;

export function createSignOut(database: Database): SignOut {
  return (keyId) => database.write((tx) => endSessions(tx, keyId));
}
