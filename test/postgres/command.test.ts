/** The command line, on PostgreSQL. */

import { runOnPostgres } from './both.ts';

await runOnPostgres('command');
