/** `sendonce/client`, the caller's side: what an answer means, and clients that try again by themselves. Imports nothing. */

export { type Classified, classify, type Outcome } from './classify.ts';
export type { RetryOptions } from './repeat.ts';
export { retrying } from './retrying.ts';
