/** How Brevo’s facade accepts, on PostgreSQL. */

import { useEngine } from '../support/engine.ts';

useEngine('postgres');
await import('../brevo/idempotency.test.ts');
await import('../brevo/scheduled.test.ts');
await import('../brevo/seed.test.ts');
await import('../brevo/send.test.ts');
