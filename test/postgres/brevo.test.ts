/** Brevo’s facade, on PostgreSQL. */

import { runOnPostgres } from './both.ts';

await runOnPostgres('brevo');
