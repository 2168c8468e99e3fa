/** The server with a guard taken out, which nobody may have: `node server-main.js FULL|NORMAL|sends-again`. */

import { createSystemClock } from '../../src/clock.ts';
import { readConfig } from '../../src/config.ts';
import { type Outside, startServer } from '../../src/server.ts';
import { bendDatabase, handoffsAreQueuedAgain } from '../support/bent-database.ts';

const variants: Record<string, Partial<Outside>> = {
  FULL: {},
  NORMAL: { synchronous: 'NORMAL' },
  'sends-again': { database: (own) => bendDatabase(own, [handoffsAreQueuedAgain]) },
};

const server = await startServer(readConfig(process.env), {
  clock: createSystemClock(),
  die: () => process.exit(1),
  ...variants[process.argv[2] ?? 'FULL'],
});
// Under strace the process one has started is strace's, which passes no signal on.
console.log(`pid ${process.pid}`);
console.log(`Sendonce listens on ${server.url}`);
process.on('SIGTERM', () => void server.stop().then(() => process.exit(0)));
