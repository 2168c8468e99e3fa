/** What `sendonce doctor` says of the mailbox that bounces come to: it signs in and opens the folder, as the server would. */

import type { Config } from '../../config/config.ts';
import { nameOfMailbox } from '../../config/imap-url.ts';
import type { MailboxError } from '../../listen/mailbox/session.ts';
import { printable } from '../terminal.ts';
import { type Finding, fail, note, ok } from './finding.ts';

/** Somebody waits for the answer. */
const connectMs = 10_000;

export async function checkMailbox({ mailbox, bounceDomain }: Config): Promise<Finding[]> {
  if (!mailbox) return [];
  const { MailboxError, openMailbox } = await import('../../listen/mailbox/session.ts');
  const where = `mailbox ${nameOfMailbox(mailbox)}`;
  try {
    const session = await openMailbox(mailbox, { connectMs });
    await session.close();
    const tls = session.isSecure ? 'TLS' : 'no TLS';
    const news = session.tells ? 'it tells of new mail (IDLE)' : 'it offers no IDLE: it is asked every 30 seconds';
    return [
      ok(`${where}: ${mailbox.user} is logged in, ${tls}, ${session.mails} mails, ${news}`),
      ...notesOn(bounceDomain),
    ];
  } catch (error) {
    if (!(error instanceof MailboxError)) throw error;
    const until = 'Until then bounces wait there.';
    return [fail(`${where}: ${headings[error.kind]} (${printable(error.message)}). ${nexts[error.kind]} ${until}`)];
  }
}

function notesOn(bounceDomain: string | null): Finding[] {
  if (bounceDomain !== null) return [];
  return [
    note(
      'BOUNCE_IMAP_URL without BOUNCE_DOMAIN: bounces go to the authors, and only notices that repeat our envelope id count',
    ),
  ];
}

const headings: Readonly<Record<MailboxError['kind'], string>> = {
  unreachable: 'it cannot be reached',
  tls: 'there is no TLS with it that can be trusted',
  login: 'it refuses the login',
  folder: 'it does not open the folder',
  gone: 'it ended the connection',
};

const nexts: Readonly<Record<MailboxError['kind'], string>> = {
  unreachable:
    'Check host and port in BOUNCE_IMAP_URL (imaps:// is 993, imap:// is 143), and that a firewall lets this machine out.',
  tls: 'Check that the certificate is for this host name, and name its authority with ?ca_file=PATH where it is your own.',
  login:
    'Check user and password in BOUNCE_IMAP_URL: percent-encode : / @ ? # % in them; many providers want a password made for an app, and IMAP to be allowed. With auth=xoauth2 check client_id, client_secret and refresh_token.',
  folder: 'Check the folder at the end of BOUNCE_IMAP_URL (INBOX where none is named), or make it there.',
  gone: 'Try again in a moment.',
};
