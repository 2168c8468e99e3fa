/** What each wire API writes in its own words although no handler of it is involved: refusals, and what is left of the rate limit. */

import type { AppError } from '../core/error.ts';
import type { Reply } from './call.ts';
import type { RateState } from './rate-limit.ts';

export interface Facade {
  renderError(error: AppError): Reply;
  /** Sent with every counted answer. */
  limitHeaders(state: RateState): Record<string, string>;
}
