/** Whose turn it is to read a mailbox, and how far it was read: by one process at a time, on from where the last one was. */

import type { Clock } from '../core/clock.ts';
import type { Database } from '../store/database.ts';
import { findLastUid, holdMailbox, leaveMailbox, noteFailing, noteReadable, recordUid } from '../store/mailboxes.ts';

export type MailboxTurns = {
  /** Takes the turn, or keeps it. False: it is another process's. */
  hold(): Promise<boolean>;
  leave(): Promise<void>;
  /** The UID of the last mail that was taken; 0: none, or the server counts anew. */
  lastUid(uidValidity: string): Promise<number>;
  /** False: the turn is another process's by now. */
  advance(uidValidity: string, uid: number): Promise<boolean>;
  /** It could not be read; an operator is called where that goes on. */
  failed(): Promise<void>;
  /** It was read. */
  worked(): Promise<void>;
};

export type MailboxTurnOptions = {
  database: Database;
  clock: Pick<Clock, 'now'>;
  /** Names the mailbox. */
  id: string;
  /** Names this process. */
  worker: string;
};

/** As long as nobody reads after a process died; it says three times within that it still does. */
const turnMs = 30_000;
export const holdEveryMs = 10_000;

export function createMailboxTurns({ database, clock, id, worker }: MailboxTurnOptions): MailboxTurns {
  const about = { about: 'mailboxes' };
  // One process serves the file: who held it before is dead.
  const holder = database.engine === 'sqlite' ? 'the only one' : worker;
  return {
    hold: () => {
      const now = clock.now();
      return database.write((tx) => holdMailbox(tx, { id, holder, now, until: now + turnMs }), about);
    },
    leave: () => database.write((tx) => leaveMailbox(tx, { id, holder }), about),
    lastUid: (uidValidity) => findLastUid(database, id, uidValidity),
    failed: () => database.write((tx) => noteFailing(tx, id, clock.now()), about),
    worked: () => database.write((tx) => noteReadable(tx, id), about),
    advance: (uidValidity, uid) => database.write((tx) => recordUid(tx, { id, holder, uidValidity, uid }), about),
  };
}
