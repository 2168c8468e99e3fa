/** The page, on PostgreSQL. */

import { runOnPostgres } from './both.ts';

await runOnPostgres('page');
