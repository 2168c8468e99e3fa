/** How mail leaves and what webhooks are told, on PostgreSQL. */

import { runOnPostgres } from './both.ts';

await runOnPostgres('deliver');
