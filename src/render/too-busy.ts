/** What is answered where no renderer thread was free in time: nothing is wrong with the request. */

import { AppError } from '../core/error.ts';

export function tooBusy(): AppError {
  return new AppError('unavailable', 'The server is busy rendering other mail; nothing was accepted. Try again.', {
    retryAfterSeconds: 1,
  });
}
