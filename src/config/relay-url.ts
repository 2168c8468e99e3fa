/** Reads the URL of a relay: `smtp://user:pass@host:587`, `smtps://…`, or `capture:`. */

import type { OAuthGrant } from '../core/oauth-grant.ts';

export type RelayUrl = { kind: 'capture' } | { kind: 'smtp'; server: RelayServer };

export type RelayServer = {
  host: string;
  port: number;
  /** TLS from the first byte. */
  secure: boolean;
  auth: { user: string; pass: string } | null;
  starttls?: 'required' | 'never';
  /** What EHLO says. */
  name?: string;
  /** Instead of a password: where tokens come from. */
  oauth?: OAuthGrant;
  /** Whose certificate is taken, where that is not whose the system takes. */
  tls?: { ca: string[] } | { rejectUnauthorized: false };
};

/** A sentence to be read after the setting's name: what is wrong, and what to do. It never quotes the URL, which may hold a password. */
export class RelayUrlError extends Error {
  override readonly name = 'RelayUrlError';
}

const submissionPort = 587;
const submissionsPort = 465;

/**
 * `smtp://` (587, STARTTLS) or `smtps://` (465, TLS from the first byte); user and password percent-encoded;
 * `?starttls=required` or `never` for smtp://. `password`: given beside the URL. @throws RelayUrlError
 */
export function parseRelayUrl(text: string, password: string | null = null): RelayUrl {
  if (text === 'capture:') return { kind: 'capture' };
  const url = parseUrl(text);
  const secure = url.protocol === 'smtps:';
  if (!secure && url.protocol !== 'smtp:') {
    throw new RelayUrlError(
      'must begin with smtp:// or smtps://, be mx: for the servers of the recipients, or capture: to send nothing.',
    );
  }
  if (url.hostname === '') throw new RelayUrlError('names no host: write smtp://host:587.');
  if (url.pathname.length > 1 || url.hash !== '') {
    throw new RelayUrlError(
      'has something after the host: percent-encode / as %2F and # as %23 in user and password, or leave it out.',
    );
  }
  if (url.port === '0') throw new RelayUrlError("has port 0: name the relay's, or none for 587 (smtps://: 465).");
  const server = {
    host: url.hostname.replace(/^\[(.*)\]$/, '$1'),
    port: url.port === '' ? (secure ? submissionsPort : submissionPort) : Number(url.port),
    secure,
    auth: parseAuth(url, password),
    ...parseQuery(url.searchParams, secure),
  };
  return { kind: 'smtp', server };
}

function parseUrl(text: string): URL {
  try {
    return new URL(text);
  } catch {
    // No cause: its message quotes the URL, and with it the password.
    throw new RelayUrlError(
      'cannot be read as a URL: write smtp://user:password@host:587 and percent-encode : / @ ? # in user and password.',
    );
  }
}

function parseAuth(url: URL, password: string | null): RelayServer['auth'] {
  if (url.password !== '' && password !== null) {
    throw new RelayUrlError('has a password, and one is given beside it: leave one of them out.');
  }
  if (url.username === '' && url.password === '' && password === null) return null;
  if (url.username === '' || (url.password === '' && password === null)) {
    throw new RelayUrlError('needs both user and password, or neither.');
  }
  const user = decodePart(url.username);
  const pass = password ?? decodePart(url.password);
  // RFC 4616: NUL separates the two in AUTH PLAIN.
  if (`${user}${pass}`.includes('\0')) throw new RelayUrlError('must not have NUL (%00) in user or password.');
  return { user, pass };
}

function decodePart(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    throw new RelayUrlError('has a user or password that is badly percent-encoded: write % as %25.');
  }
}

function parseQuery(query: URLSearchParams, secure: boolean): Pick<RelayServer, 'starttls'> {
  for (const name of query.keys()) {
    if (name !== 'starttls') throw new RelayUrlError('has an unknown parameter after ?: only starttls is known.');
  }
  const starttls = query.get('starttls');
  if (starttls === null) return {};
  if (secure) {
    throw new RelayUrlError(
      'has starttls, which smtps:// does not need (it is TLS from the first byte): leave it out.',
    );
  }
  if (starttls !== 'required' && starttls !== 'never') {
    throw new RelayUrlError(
      'has a starttls that is neither "required" nor "never": write one of them, or leave it out.',
    );
  }
  return { starttls };
}
