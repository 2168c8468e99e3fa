/** What webhooks are told, on PostgreSQL. */

import { useEngine } from '../support/engine.ts';

useEngine('postgres');
await import('../webhook/lane.test.ts');
await import('../webhook/replay.test.ts');
await import('../webhook/telling.test.ts');
await import('../resend/webhooks.test.ts');
