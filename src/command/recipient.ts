/** `sendonce recipient`: what is kept of one person, shown or forgotten, for the day they ask. */

import type { Config } from '../config/config.ts';
import { parseMailbox } from '../core/address.ts';
import { suppressionKey } from '../core/suppression.ts';
import { erase } from './recipient/erase.ts';
import { exportRecipient } from './recipient/export.ts';
import { CommandError, withDatabase } from './terminal.ts';
import { UsageError } from './usage.ts';

export async function recipient(config: Config, [action, text, ...others]: string[]): Promise<void> {
  if ((action !== 'export' && action !== 'erase') || text === undefined || others.length > 0) {
    throw new UsageError('Usage: sendonce recipient export|erase ADDRESS');
  }
  const mailbox = parseMailbox(text);
  if (!mailbox) throw new CommandError(`"${text}" is not an email address.`);
  const person = suppressionKey(mailbox.address);
  if (action === 'erase') return erase(config, person);
  await withDatabase(config, { create: false }, (database) => exportRecipient(database, person));
}
