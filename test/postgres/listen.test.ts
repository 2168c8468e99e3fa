/** Mail that comes over SMTP. */

import { runOnPostgres } from './both.ts';

await runOnPostgres('listen');
