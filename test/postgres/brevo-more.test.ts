/** What else Brevo’s facade keeps and tells, on PostgreSQL. */

import { useEngine } from '../support/engine.ts';

useEngine('postgres');
await import('../brevo/blocked-contacts.test.ts');
await import('../brevo/log.test.ts');
await import('../brevo/sdk.test.ts');
await import('../brevo/senders.test.ts');
await import('../brevo/templates.test.ts');
