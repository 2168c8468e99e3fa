/** What Resend’s SDKs and clients meet, on PostgreSQL. */

import { useEngine } from '../support/engine.ts';

useEngine('postgres');
await import('../resend/idempotency-keys.test.ts');
await import('../resend/idempotency-life.test.ts');
await import('../resend/idempotency-load.test.ts');
await import('../resend/idempotency-slow.test.ts');
await import('../resend/idempotency.test.ts');
await import('../resend/sdk.test.ts');
await import('../resend/suppressions.test.ts');
