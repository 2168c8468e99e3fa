/** The outbox, in a caller's PostgreSQL. */

import { runOnPostgres } from './both.ts';

await runOnPostgres('outbox');
