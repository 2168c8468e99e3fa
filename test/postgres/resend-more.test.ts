/** What else Resend’s facade keeps and tells, on PostgreSQL. */

import { useEngine } from '../support/engine.ts';

useEngine('postgres');
await import('../resend/idempotency-keys.test.ts');
await import('../resend/idempotency-load.test.ts');
await import('../resend/suppressions.test.ts');
