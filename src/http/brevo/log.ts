/** DELETE /v3/smtp/log/…: takes emails out of what this API shows, one by its messageId, or all to an address. */

import { parseMailbox } from '../../core/address.ts';
import { AppError } from '../../core/error.ts';
import type { DatabaseReader } from '../../store/database.ts';
import { searchEmails } from '../../store/page/email-search.ts';
import type { Purge } from '../../use-cases/purge.ts';
import type { Call, Reply } from '../call.ts';
import { findByMessageId, recipientsOf } from './recipients.ts';

export type LogParts = { database: DatabaseReader; purge: Purge; now: () => number };

/** What stays is the operator's record: ids, events, who was mailed. Contents go with the last recipient. */
export async function deleteLog({ database, purge, now }: LogParts, call: Call): Promise<Reply> {
  const { account } = call.caller;
  const identifier = call.param('identifier');
  const named = await findByMessageId(database, account, identifier);
  if (named && recipientsOf(named).length > 0) {
    if (await purge.log(account, named.id, null)) return { status: 204, body: null };
    throw new AppError('invalid_field', 'The email is still being sent: its log can be deleted once that is over.');
  }
  const address = parseMailbox(identifier)?.address.toLowerCase();
  if (address === undefined) throw notFound();
  let forgotten = 0;
  const everything = { span: { from: 0, until: now() + 1 }, order: 'asc' as const, named: { recipient: address } };
  for await (const email of searchEmails(database, account, everything)) {
    if (!recipientsOf(email).some((one) => one.address.toLowerCase() === address)) continue;
    if (await purge.log(account, email.id, address)) forgotten += 1;
  }
  if (forgotten === 0) throw notFound();
  return { status: 204, body: null };
}

function notFound(): AppError {
  return new AppError('not_found', 'Message ID not found');
}
