/** Keeps the book of troubles: what began, what ended, and what of it has been told. */

import type { Alert, Trouble } from '../core/alert.ts';
import type { Clock } from '../core/clock.ts';
import {
  claimWebhook,
  endTroubles,
  listTroubles,
  listUntold,
  markTold,
  noteTrouble,
  type Way,
} from '../store/alerts.ts';
import type { Database } from '../store/database.ts';

/** A trouble that comes and goes is one: it ends once nobody has seen it for so long. */
const quietMs = 60_000;

export type Alerts = {
  /** What this process sees now; what it does not see may be another's to see. */
  note(troubles: readonly Trouble[]): Promise<void>;
  untold(way: Way): Promise<Alert[]>;
  told(way: Way, alert: Alert): Promise<void>;
  /** False: another process tells it, or it is not to be tried again yet. */
  claim(alert: Alert, forMs: number): Promise<boolean>;
};

export function createAlerts(database: Database, clock: Clock): Alerts {
  return {
    async note(troubles) {
      const now = clock.now();
      // Mostly there is nothing to write.
      if (troubles.length === 0 && (await listTroubles(database)).length === 0) return;
      await database.write(
        async (tx) => {
          for (const trouble of troubles) await noteTrouble(tx, trouble, now);
          await endTroubles(tx, now - quietMs, now);
        },
        { about: 'alerts' },
      );
    },
    untold: async (way) => listUntold(database, way),
    told: (way, alert) => database.write((tx) => markTold(tx, way, alert), { about: 'alerts' }),
    claim: (alert, forMs) => {
      const now = clock.now();
      return database.write((tx) => claimWebhook(tx, alert, { now, until: now + forMs }), { about: 'alerts' });
    },
  };
}
