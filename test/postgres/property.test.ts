/** A few random lives of a server, on PostgreSQL. */

import { runOnPostgres } from './both.ts';

await runOnPostgres('property');
