/** Reads `smtp://user:pass@host:587` into the options of a relay. */

import type { SmtpRelayOptions } from './smtp.ts';

const SUBMISSION_PORT = 587;
const SUBMISSIONS_PORT = 465;

/**
 * `smtp://` (587, STARTTLS) or `smtps://` (465, TLS from the first byte); user and password percent-encoded;
 * `?starttls=required` or `never` for smtp://. Throws an error that says what to change, without quoting the URL.
 */
export function parseRelayUrl(text: string): SmtpRelayOptions {
  const url = parseUrl(text);
  const secure = url.protocol === 'smtps:';
  if (!secure && url.protocol !== 'smtp:') throw new Error('the relay URL must begin with smtp:// or smtps://');
  if (url.hostname === '') throw new Error('the relay URL names no host');
  if (url.pathname.length > 1 || url.hash !== '') {
    throw new Error(
      'the relay URL has something after the host: percent-encode / as %2F and # as %23 in user and password',
    );
  }
  if (url.port === '0') throw new Error('the relay URL has port 0');
  return {
    host: url.hostname.replace(/^\[(.*)\]$/, '$1'),
    port: url.port === '' ? (secure ? SUBMISSIONS_PORT : SUBMISSION_PORT) : Number(url.port),
    secure,
    auth: parseAuth(url),
    ...parseQuery(url.searchParams, secure),
  };
}

function parseUrl(text: string): URL {
  try {
    return new URL(text);
  } catch {
    // No cause: its message quotes the URL, and with it the password.
    throw new Error(
      'the relay URL cannot be read: write smtp://user:password@host:587 and percent-encode : / @ ? # in user and password',
    );
  }
}

function parseAuth(url: URL): SmtpRelayOptions['auth'] {
  if (url.username === '' && url.password === '') return null;
  if (url.username === '' || url.password === '')
    throw new Error('the relay URL needs both user and password, or neither');
  const user = decodePart(url.username);
  const pass = decodePart(url.password);
  // RFC 4616: NUL separates the two in AUTH PLAIN.
  if (`${user}${pass}`.includes('\0')) throw new Error('user and password of the relay URL must not contain NUL');
  return { user, pass };
}

function decodePart(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    throw new Error('user or password of the relay URL is badly percent-encoded: write % as %25');
  }
}

function parseQuery(query: URLSearchParams, secure: boolean): Pick<SmtpRelayOptions, 'starttls'> {
  for (const name of query.keys()) {
    if (name !== 'starttls') throw new Error('the relay URL has an unknown parameter: only starttls is known');
  }
  const starttls = query.get('starttls');
  if (starttls === null) return {};
  if (secure)
    throw new Error('the relay URL has starttls, which smtps:// does not need: it is TLS from the first byte');
  if (starttls !== 'required' && starttls !== 'never')
    throw new Error('starttls in the relay URL is "required" or "never"');
  return { starttls };
}
