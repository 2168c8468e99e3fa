/** Taking emails out of what is shown: out of a log for some of their recipients, or out of the inbox of captured mail. */

import { envelopeAddress } from '../core/address.ts';
import type { Clock } from '../core/clock.ts';
import type { Database } from '../store/database.ts';
import { type EmailSummary, forgetEmail, holdEmail } from '../store/mail/emails.ts';
import { clearSome, findCleared, findNewest, putCleared } from '../store/page/inbox.ts';
import { holdReports, recountEmail } from '../store/page/report-counts.ts';

export type Purge = {
  /**
   * Takes an email out of the log of one recipient (in lower case), or of all; its contents go with the last one.
   * False: it is still being sent, or gone.
   */
  log(account: string, emailId: string, address: string | null): Promise<boolean>;
  /** Forgets the contents of every settled email there is now. What is still open keeps its own, and stays in the inbox. */
  inbox(account: string): Promise<void>;
};

export function createPurge(database: Database, clock: Clock): Purge {
  return {
    log(account, emailId, address) {
      return database.write(async (tx) => {
        const counted = await holdReports(tx, account);
        const email = await holdEmail(tx, account, emailId);
        if (!email) return false;
        const shown = recipientsInLog(email);
        const leaving = address === null ? shown : shown.filter((one) => one === address);
        const recipients = [...(email.forgotten ?? []), ...leaving];
        const isLast = leaving.length === shown.length;
        if (!(await forgetEmail(tx, email, { recipients, isLast, now: clock.now() }))) return false;
        await recountEmail(tx, [email, { ...email, forgotten: recipients }], counted);
        return true;
      });
    },

    async inbox(account) {
      const newest = await findNewest(database, account);
      if (newest === null) return;
      const now = clock.now();
      let after = await findCleared(database, account);
      let firstOpen: string | null = null;
      while (after < newest) {
        const step = await database.write((tx) => clearSome(tx, account, { after, until: newest, now }));
        firstOpen ??= step.firstOpen;
        after = step.last ?? newest;
      }
      await database.write((tx) => putCleared(tx, account, { newest, firstOpen }));
    },
  };
}

/** In lower case, each once. */
function recipientsInLog({ to, cc, bcc, forgotten }: EmailSummary): string[] {
  const all = new Set([...to, ...cc, ...bcc].map((mailbox) => envelopeAddress(mailbox).toLowerCase()));
  for (const address of forgotten ?? []) all.delete(address);
  return [...all];
}
