/** What released versions left behind, on PostgreSQL. */

import { runOnPostgres } from './both.ts';

await runOnPostgres('upgrade');
