/** Reads where mail is taken over SMTP, and the certificate that is shown there. */

import { readFileSync } from 'node:fs';
import { createSecureContext } from 'node:tls';
import { isLoopback } from '../core/loopback.ts';
import type { SettingName, Settings } from './settings.ts';

export type Address = { host: string; port: number };

/** `plain`: with STARTTLS where there is a certificate; `secure`: in TLS from the start. Null: nobody listens there. */
export type MailSetting = { plain: Address | null; secure: Address | null; tls: { cert: string; key: string } | null };

export function mailOf(read: Settings): MailSetting {
  const setting = { plain: addressOf(read, 'LISTEN_SMTP'), secure: addressOf(read, 'LISTEN_SMTPS'), tls: tlsOf(read) };
  const { plain, secure, tls } = setting;
  if (secure && !tls) read.refuse('LISTEN_SMTPS', 'needs a certificate: set TLS_CERT and TLS_KEY.');
  if (plain && !tls && !isLoopback(plain.host)) {
    read.refuse(
      'LISTEN_SMTP',
      `is an address that others can reach (${plain.host}), and keys must not go there in the clear: set TLS_CERT and TLS_KEY, or listen on 127.0.0.1.`,
    );
  }
  return setting;
}

function addressOf(read: Settings, name: 'LISTEN_SMTP' | 'LISTEN_SMTPS'): Address | null {
  const text = read.optional(name);
  if (text === null) return null;
  const [, bracketed, plain = '127.0.0.1', digits = ''] =
    /^(?:\[([\da-f:.]+)\]:|([^:\s]+):)?(\d{1,5})$/i.exec(text) ?? [];
  const port = Number(digits);
  if (digits !== '' && port <= 65_535) return { host: bracketed ?? plain, port };
  read.refuse(name, `must be host:port, such as 127.0.0.1:2525 or 0.0.0.0:587, not "${text}".`);
  return null;
}

function tlsOf(read: Settings): MailSetting['tls'] {
  const [cert, key] = [fileOf(read, 'TLS_CERT'), fileOf(read, 'TLS_KEY')];
  if (cert === null && key === null) return null;
  if (cert === null || key === null) {
    read.refuse(cert === null ? 'TLS_CERT' : 'TLS_KEY', 'is missing: a certificate and its key go together.');
    return null;
  }
  if (cert === '' || key === '') return null;
  try {
    createSecureContext({ cert, key });
    return { cert, key };
  } catch (error) {
    read.refuse('TLS_CERT', `and TLS_KEY do not go together, or are no PEM (${(error as Error).message}).`);
    return null;
  }
}

/** Null: not set. Empty: what it names cannot be read, which was said. */
function fileOf(read: Settings, name: SettingName): string | null {
  const path = read.optional(name);
  if (path === null) return null;
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    read.refuse(name, `names a file that cannot be read (${(error as NodeJS.ErrnoException).code}): ${path}.`);
    return '';
  }
}
