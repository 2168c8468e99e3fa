/** GET /v3/account: what set-up wizards ask to find out whether a key works, and what SDKs' types require. */

import { createHash } from 'node:crypto';
import type { Call, Reply } from '../call.ts';

/** There is no plan here, so that nothing runs out; of the types that strict SDKs know, this one promises least. */
const plan = [{ type: 'payAsYouGo', creditsType: 'sendLimit', credits: 1_000_000_000 }];

export async function showAccount(_parts: unknown, call: Call): Promise<Reply> {
  const { account } = call.caller;
  const id = createHash('sha256').update(account).digest('hex');
  const body = {
    organization_id: id.slice(0, 24),
    user_id: Number.parseInt(id.slice(0, 8), 16),
    enterprise: false,
    companyName: account,
    email: '',
    firstName: '',
    lastName: '',
    address: { street: '', city: '', zipCode: '', country: '' },
    dateTimePreferences: { timezone: 'UTC', timeFormat: '24', dateFormat: 'yyyy-mm-dd' },
    plan,
    planVerticals: [],
    // Whether the account may send: wizards leave sending off where this is false. `data` is Brevo's SMTP door, and we have none.
    relay: { enabled: true, data: { userName: '', relay: '', port: 0 } },
    marketingAutomation: { enabled: false },
  };
  return { status: 200, body: JSON.stringify(body) };
}

/** What people did in their account is not recorded here. */
export async function showActivities(): Promise<Reply> {
  return { status: 200, body: JSON.stringify({ logs: [] }) };
}
