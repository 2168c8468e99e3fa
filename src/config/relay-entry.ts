/** One [[relay]] of `RELAYS_FILE`: what it is called, where it is, and how it wants to be spoken to. */

import { rootCertificates } from 'node:tls';
import { type Rates, rateWindows, type WarmUp } from '../core/rate.ts';
import { ehloPattern, type MxServer, parseMxUrl, sourceOf } from './mx-url.ts';
import { readOAuth } from './oauth-fields.ts';
import { FieldProblem, type Fields } from './relay-fields.ts';
import { parseRelayUrl, type RelayServer, RelayUrlError } from './relay-url.ts';
import { parseUpstreamUrl, type UpstreamServer } from './upstream-url.ts';

export type RelayTarget =
  | { kind: 'smtp'; server: RelayServer }
  | { kind: 'mx'; server: MxServer }
  | { kind: 'upstream'; server: UpstreamServer };

export type RelayEntry = RelayTarget & { name: string; connections: number; rates: Rates };

const namePattern = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/;
const connectionsDefault = 10;
/** Shared by all the domains there are. */
const mxConnectionsDefault = 50;
/** As many as Postfix begins with. */
const domainConnectionsMost = 5;

/** @throws FieldProblem */
export function parseRelay(fields: Fields): RelayEntry {
  const name = fields.needed('name');
  if (!namePattern.test(name)) {
    throw new FieldProblem(
      '`name` must begin with a letter or a digit and have up to 63 of letters, digits, ".", "_", "-".',
    );
  }
  const own = fields.integer('connections', { min: 1, max: 200 });
  const rates = ratesOf(fields);
  const target = targetOf(fields);
  if (target.kind !== 'mx') return { name, connections: own ?? connectionsDefault, rates, ...target };
  const connections = own ?? mxConnectionsDefault;
  return { name, connections, rates: withDomainConnections(rates, connections), ...target };
}

/** One domain that does not answer keeps a quarter of the sessions from the others at most. */
export function withDomainConnections(rates: Rates, connections: number): Rates {
  const { domain } = rates;
  const most = Math.max(1, Math.min(domainConnectionsMost, Math.floor(connections / 4)));
  return { ...rates, domain: { ...domain, connections: domain.connections ?? most } };
}

/** Above it a ceiling is none. */
const mostMax = 1_000_000_000;

function ratesOf(fields: Fields): Rates {
  const domain = fields.table('domain');
  const connections = domain?.integer('connections', { min: 1, max: 200 }) ?? null;
  const rates = { own: ceilingsOf(fields), domain: { ceilings: domain ? ceilingsOf(domain) : [], connections } };
  domain?.end();
  return rates;
}

function ceilingsOf(fields: Fields): Rates['own'] {
  const warmUp = warmUpOf(fields);
  return rateWindows.flatMap(({ name, ms }) => {
    const most = fields.integer(`per_${name}`, { min: 1, max: mostMax });
    if (name === 'day' && warmUp) return [{ window: name, ms, most: most ?? Number.POSITIVE_INFINITY, warmUp }];
    return most === null ? [] : [{ window: name, ms, most }];
  });
}

function warmUpOf(fields: Fields): WarmUp | null {
  const days = fields.integers('warm_up', { min: 1, max: mostMax });
  const from = fields.date('warm_up_from');
  if (days.length === 0 && from === null) return null;
  if (days.length === 0 || from === null) {
    throw new FieldProblem('`warm_up` (what each day may have) and `warm_up_from` (the first day) go together.');
  }
  return { from, days };
}

function targetOf(fields: Fields): RelayTarget {
  const url = fields.needed('url', encodeURIComponent);
  const tls = tlsOf(fields);
  try {
    const mx = parseMxUrl(url);
    if (mx) return { kind: 'mx', server: { ...mxServer(fields, mx), ...tls } };
    const upstream = parseUpstreamUrl(url);
    if (upstream?.service === 'ses') return { kind: 'upstream', server: { ...sesServer(fields, upstream), ...tls } };
    if (upstream) {
      return { kind: 'upstream', server: { ...upstream, key: keyOf(fields), ...secretOf(fields, upstream), ...tls } };
    }
    return { kind: 'smtp', server: { ...smtpServer(fields, url), ...tls } };
  } catch (error) {
    if (error instanceof RelayUrlError) throw new FieldProblem(`\`url\` ${error.message}`);
    throw error;
  }
}

function mxServer(fields: Fields, server: MxServer): MxServer {
  const name = ehloOf(fields);
  const source = fields.text('source_address');
  return { ...server, ...(name === null ? {} : { name }), ...(source === null ? {} : { source: sourceOf(source) }) };
}

function ehloOf(fields: Fields): string | null {
  const ehlo = fields.text('ehlo');
  if (ehlo !== null && !ehloPattern.test(ehlo)) throw new FieldProblem('`ehlo` must be a host name.');
  return ehlo;
}

/** A host without a dot is the region; another one stands in for SES, and the region is a field. */
function sesServer(fields: Fields, upstream: Omit<UpstreamServer, 'key'>): UpstreamServer {
  const { host } = upstream;
  const isRegion = /^[a-z]{2}(-[a-z]+)+-\d$/.test(host);
  const region = isRegion ? host : fields.text('region');
  if (region === null) throw new FieldProblem('`url` must name a region, as ses://eu-west-1.');
  const accessKeyId = fields.needed('access_key_id');
  if (!/^\w+$/.test(accessKeyId)) throw new FieldProblem('`access_key_id` must be letters and digits.');
  const key = keyOf(fields, 'secret_access_key');
  const own = isRegion ? { host: `email.${region}.amazonaws.com` } : {};
  return { ...upstream, ...own, key, aws: { accessKeyId, region }, ...topicOf(fields) };
}

/** Any account at Amazon could publish to a topic of its own: ours is named. */
function topicOf(fields: Fields): { proof?: string } {
  const topic = fields.text('topic_arn');
  if (topic === null) return {};
  if (/^arn:aws[\w-]*:sns:[a-z\d-]+:\d{12}:[\w.-]{1,256}$/.test(topic)) return { proof: topic };
  throw new FieldProblem('`topic_arn` must be that of an SNS topic, as arn:aws:sns:eu-west-1:123456789012:notices.');
}

/** Of the webhook that the relay tells us by. */
function secretOf(fields: Fields, { service }: Pick<UpstreamServer, 'service'>): { proof?: string } {
  const secret = fields.secret('webhook_secret');
  if (secret === null) return {};
  if (service !== 'brevo' && !/^whsec_[A-Za-z\d+/]{20,}={0,2}$/.test(secret)) {
    throw new FieldProblem('`webhook_secret` must be the signing secret of the webhook, as whsec_….');
  }
  if (secret.length < 16 || !/^[!-~]+$/.test(secret)) {
    throw new FieldProblem('`webhook_secret` must be at least 16 characters of printable ASCII without spaces.');
  }
  return { proof: secret };
}

function keyOf(fields: Fields, name = 'key'): string {
  const key = fields.secret(name);
  if (key === null) throw new FieldProblem(`\`${name}\` or \`${name}_file\` is missing: an upstream wants an API key.`);
  // It stands in a header field.
  if (!/^[!-~]+$/.test(key)) throw new FieldProblem(`\`${name}\` must be printable ASCII without spaces.`);
  return key;
}

function smtpServer(fields: Fields, url: string): RelayServer {
  const oauth = readOAuth(fields);
  const password = oauth ? '' : fields.secret('password');
  const ehlo = ehloOf(fields);
  const setting = parseRelayUrl(url, password);
  if (setting.kind === 'capture') throw new RelayUrlError('is capture:, which stands alone: write it into RELAY_URL.');
  return { ...setting.server, ...(ehlo === null ? {} : { name: ehlo }), ...(oauth && { oauth }) };
}

function tlsOf(fields: Fields): Pick<RelayServer, 'tls'> {
  const ca = fields.file('ca_file');
  const verify = fields.flag('verify', true);
  if (ca !== null && !verify) {
    throw new FieldProblem('`ca_file` says nothing where `verify` is false: leave one of them out.');
  }
  if (!verify) return { tls: { rejectUnauthorized: false } };
  // What is given replaces what the system knows.
  return ca === null ? {} : { tls: { ca: [...rootCertificates, ca] } };
}
