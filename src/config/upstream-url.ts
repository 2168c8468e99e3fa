/** Reads the URL of an upstream: `resend://`, `brevo://`, `sendonce://` or `ses://`, with host and port where it is not the service's own. */

import { RelayUrlError } from './relay-url.ts';

export type UpstreamServer = {
  service: 'resend' | 'brevo' | 'sendonce' | 'ses';
  /** Of SES, whose `key` is the secret one. */
  aws?: { accessKeyId: string; region: string };
  host: string;
  port: number;
  isSecure: boolean;
  key: string;
  /** What shows that a notice over HTTP is from it: the secret of its webhook, or the topic of SES. Left out: it tells nothing. */
  proof?: string;
  /** Whose certificate is taken, where that is not whose the system takes. */
  tls?: { ca: string[] } | { rejectUnauthorized: false };
};

const ownHosts = { resend: 'api.resend.com', brevo: 'api.brevo.com', sendonce: null, ses: null } as const;

/** Null: it is no upstream's. @throws RelayUrlError */
export function parseUpstreamUrl(text: string): Omit<UpstreamServer, 'key'> | null {
  const [, service] = /^(resend|brevo|sendonce|ses):/.exec(text) ?? [];
  if (service !== 'resend' && service !== 'brevo' && service !== 'sendonce' && service !== 'ses') return null;
  const url = URL.canParse(text) ? new URL(text) : null;
  if (!url) throw new RelayUrlError(`cannot be read as a URL: write ${service}://host:port.`);
  if (url.username !== '' || url.password !== '') {
    throw new RelayUrlError('has a user or a password: an upstream takes a `key`, in a field of its own.');
  }
  if (url.pathname.length > 1 || url.hash !== '') throw new RelayUrlError('has something after the host.');
  const isSecure = tlsOf(url.searchParams);
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1') || ownHosts[service];
  if (!host) throw new RelayUrlError(`names no host: write ${service}://host.`);
  return { service, host, port: url.port === '' ? (isSecure ? 443 : 80) : Number(url.port), isSecure };
}

function tlsOf(query: URLSearchParams): boolean {
  for (const name of query.keys()) {
    if (name !== 'tls') throw new RelayUrlError('has an unknown parameter after ?: only tls is known.');
  }
  const tls = query.get('tls');
  if (tls !== null && tls !== 'never')
    throw new RelayUrlError('has a tls that is not "never": write it, or leave it out.');
  return tls === null;
}
