/** SMTP, as everything outside this folder knows it: the third facade. */

import type { Facade } from '../../http/facade.ts';
import { endpoint, facadeName } from './endpoint.ts';

export const smtp: Facade = {
  name: facadeName,
  label: 'SMTP',
  through: 'SMTP',
  endpoints: [endpoint],
  // Who sends over SMTP is told by the webhooks of the account, whichever facade made them.
  webhooks: null,
};
