/** How mail leaves, on PostgreSQL. */

import { useEngine } from '../support/engine.ts';

useEngine('postgres');
await import('../e2e/handoff.test.ts');
await import('../e2e/unknown-commit.test.ts');
