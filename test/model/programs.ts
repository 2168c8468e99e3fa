/** Random programs over small domains, so that what they do meets. */

import fc from 'fast-check';
import { clientOperations, sending } from './client-operations.ts';
import { noticeOperations } from './notices.ts';
import type { Operation } from './operation.ts';
import { personOperations } from './person-operations.ts';
import { workerOperations } from './worker-operations.ts';

export type { Operation, Step } from './operation.ts';

/** When every program begins. */
export const firstMoment = 1_800_000_000_000;

const all = fc.oneof(...clientOperations, ...personOperations, ...workerOperations, ...noticeOperations);

/** Something is sent first: without a mail there is little to do. */
export const programs: fc.Arbitrary<Operation[]> = fc
  .tuple(
    fc.array(sending.arbitrary, { minLength: 1, maxLength: 3, size: 'max' }),
    fc.array(all, { maxLength: 90, size: 'max' }),
  )
  .map(([first, rest]) => [...first, ...rest]);
