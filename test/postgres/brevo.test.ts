/** What Brevo’s SDKs and clients meet, on PostgreSQL. */

import { useEngine } from '../support/engine.ts';

useEngine('postgres');
await import('../brevo/blocked-contacts.test.ts');
await import('../brevo/idempotency.test.ts');
await import('../brevo/log.test.ts');
await import('../brevo/scheduled.test.ts');
await import('../brevo/sdk.test.ts');
await import('../brevo/seed.test.ts');
await import('../brevo/send.test.ts');
await import('../brevo/senders.test.ts');
await import('../brevo/templates.test.ts');
