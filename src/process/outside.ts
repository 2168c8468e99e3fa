/** What a server is given beside its settings: by the system, or by a test that brings its own. */

import type { SystemClock } from '../clock.ts';
import type { FindTexts } from '../core/domain.ts';
import type { Relay } from '../deliver/relay.ts';
import type { HttpFacade } from '../http/facade.ts';
import type { FacadeParts } from '../http/facades.ts';
import type { Database } from '../store/database.ts';
import type { PostgresOptions } from '../store/engine/postgres/postgres.ts';
import type { Sync } from '../store/engine/sqlite/synced-log.ts';

/** What comes from outside the program, so that tests can bring their own. */
export type Outside = {
  /** Made from the clock that all processes of the database share, where it does not bring its own. */
  clock: SystemClock | ((wall: () => number) => SystemClock);
  /** Between two rounds of the chores, for clocks that run faster. */
  choresEveryMs?: number;
  /** Ends the process at once, without answering anybody. */
  die: () => never;
  /** Instead of the relay of the settings. */
  relay?: Relay;
  /** How long relays are given for a verdict, for clocks that run faster. */
  verdictTimeoutMs?: number;
  /** Instead of the system's, for SQLite's log: only tests do, the negative controls of syncing above all. */
  sync?: Sync;
  /** Takes what a dead process left in the log for written: only a negative control does. */
  trustsLog?: boolean;
  /** Instead of finding out what became of a COMMIT whose answer was lost: only a negative control assumes. */
  assumeLostCommits?: PostgresOptions['assumeLostCommits'];
  /** Instead of judging what a connection arrives at: only negative controls do not. */
  onArrival?: PostgresOptions['onArrival'];
  /** Instead of those there are. */
  facades?: readonly HttpFacade<FacadeParts>[];
  /** Instead of the system's resolvers. */
  findTexts?: FindTexts;
  /** Around the database of the settings: only negative controls break it. */
  database?: (own: Database) => Database;
};
