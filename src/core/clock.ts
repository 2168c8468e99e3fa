/** Time as a value that is passed in. */

export interface Clock {
  /** Epoch milliseconds. Never goes back within one process. */
  now(): number;
  /** Like `now`, but not moved by a jump of the wall clock: what key expiry is decided by. */
  expiryNow(): number;
}
