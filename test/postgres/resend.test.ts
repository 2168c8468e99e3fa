/** How Resend’s facade accepts, on PostgreSQL. */

import { useEngine } from '../support/engine.ts';

useEngine('postgres');
await import('../resend/idempotency-life.test.ts');
await import('../resend/idempotency-slow.test.ts');
await import('../resend/idempotency.test.ts');
await import('../resend/sdk.test.ts');
