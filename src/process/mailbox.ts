/** The mailbox that bounces come to, where the settings name one. */

import { createHash } from 'node:crypto';
import type { Config } from '../config/config.ts';
import { nameOfMailbox } from '../config/imap-url.ts';
import { createMailboxTurns } from '../use-cases/read-mailbox.ts';
import { type NoticeParts, takeReportOf } from './mail.ts';
import type { Part } from './parts.ts';

/** What speaks IMAP is loaded where there is a mailbox. */
export async function createMailboxIntakes(
  { mailbox: server }: Config,
  { renderer, name: worker, ...parts }: NoticeParts & { name: string },
): Promise<Part[]> {
  if (!server) return [];
  const { MailboxIntake } = await import('../listen/mailbox/intake.ts');
  const id = createHash('sha256')
    .update(`${server.user} ${nameOfMailbox(server)}`)
    .digest('hex')
    .slice(0, 32);
  const turns = createMailboxTurns({ ...parts, id, worker });
  return [new MailboxIntake({ server, turns, renderer, takeReport: takeReportOf(parts) })];
}
