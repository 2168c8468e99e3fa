/** Reads BOUNCE_IMAP_URL: `imaps://user:password@host/folder`, with fields of RELAYS_FILE behind the `?`. */

import { rootCertificates } from 'node:tls';
import { isLoopback } from '../core/loopback.ts';
import type { OAuthGrant } from '../core/oauth-grant.ts';
import { readOAuth } from './oauth-fields.ts';
import { FieldProblem, Fields } from './relay-fields.ts';

export type MailboxServer = {
  host: string;
  port: number;
  /** TLS from the first byte; otherwise `starttls` says whether it begins by STARTTLS. */
  isSecure: boolean;
  starttls: 'required' | 'never';
  user: string;
  /** Null: there are tokens instead. */
  password: string | null;
  oauth: OAuthGrant | null;
  /** Whose certificates are taken; null: the system's. */
  ca: string[] | null;
  folder: string;
};

/** A sentence to be read after the setting's name. It never quotes the URL, which holds a password. */
export class ImapUrlError extends Error {
  override readonly name = 'ImapUrlError';
}

const form = 'write imaps://user:password@host/folder, and percent-encode : / @ ? # % in user, password and folder.';

/**
 * `imaps://` (993, TLS from the first byte) or `imap://` (143, STARTTLS); INBOX where no folder is named. Behind the `?`: `starttls`,
 * `ca_file`, and `auth=xoauth2` with what belongs to it. @throws ImapUrlError
 */
export function parseImapUrl(text: string): MailboxServer {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (!url) throw new ImapUrlError(`cannot be read as a URL: ${form}`);
  const isSecure = url.protocol === 'imaps:';
  if (!isSecure && url.protocol !== 'imap:') throw new ImapUrlError(`must begin with imaps:// or imap://: ${form}`);
  if (url.hostname === '' || url.port === '0') throw new ImapUrlError(`names no host and port to go to: ${form}`);
  if (url.hash !== '') throw new ImapUrlError(`has a # in it: ${form}`);
  const [user, password, folder] = [url.username, url.password, url.pathname.replace(/^\/+|\/+$/g, '')].map(decoded);
  const { starttls: given, oauth, ca } = fieldsOf(url);
  if (!user || !(password || oauth)) throw new ImapUrlError(`needs a user and a password: ${form}`);
  if (password && oauth) throw new ImapUrlError('has a password and auth=xoauth2: leave one of them out.');
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
  const port = url.port === '' ? (isSecure ? 993 : 143) : Number(url.port);
  const starttls = starttlsOf(given, { isSecure, host });
  return { host, port, isSecure, starttls, user, password: password || null, oauth, ca, folder: folder || 'INBOX' };
}

function fieldsOf(url: URL): { starttls: string | null; oauth: OAuthGrant | null; ca: string[] | null } {
  const fields = new Fields(Object.fromEntries(url.searchParams), {});
  try {
    const read = { starttls: fields.text('starttls'), oauth: readOAuth(fields), ca: fields.file('ca_file') };
    fields.end();
    // What is given replaces what the system knows.
    return { ...read, ca: read.ca === null ? null : [...rootCertificates, read.ca] };
  } catch (error) {
    if (error instanceof FieldProblem) throw new ImapUrlError(`has a mistake after the ?: ${error.message}`);
    throw error;
  }
}

function decoded(part: string): string {
  try {
    const text = decodeURIComponent(part);
    if (!/[\0\r\n]/.test(text)) return text;
  } catch {}
  throw new ImapUrlError(`has a user, a password or a folder that is badly percent-encoded: ${form}`);
}

function starttlsOf(starttls: string | null, server: { isSecure: boolean; host: string }): 'required' | 'never' {
  if (starttls === null || (starttls === 'required' && !server.isSecure)) return 'required';
  if (starttls !== 'never' || server.isSecure)
    throw new ImapUrlError('has a starttls that it does not take: imap:// takes "required" or "never".');
  if (isLoopback(server.host)) return 'never';
  throw new ImapUrlError('has starttls=never, and a password must not leave this machine in the clear: leave it out.');
}

/** As logs and doctor name it: without user and password. */
export function nameOfMailbox({ host, port, folder }: Pick<MailboxServer, 'host' | 'port' | 'folder'>): string {
  return `${host}:${port}/${folder}`;
}
