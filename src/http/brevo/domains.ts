/** /senders/domains: the same domains as /domains of Resend's API, in Brevo's shape, by their names. */

import { type DnsRecord, domainRule, parseDomain, recordsOf } from '../../core/domain.ts';
import { AppError } from '../../core/error.ts';
import type { Domain } from '../../store/domains.ts';
import type { Domains } from '../../use-cases/domains.ts';
import { parseJson } from '../body.ts';
import type { Call, Reply } from '../call.ts';
import { isAbsent, isFields } from '../fields.ts';
import { missing } from './refusal.ts';

export type DomainParts = { domains: Domains; spfSenders: () => readonly string[] };

/** Resend's default, for who asks there; here nobody sees it. */
const region = 'us-east-1';

export async function list(parts: DomainParts, call: Call): Promise<Reply> {
  const all = await parts.domains.list(call.caller.account);
  const domains = all.map(({ id, name, status, createdAt, account }) => ({
    id,
    domain_name: name,
    authenticated: status === 'verified',
    verified: status === 'verified',
    ip: null,
    provider: 'Other',
    creator: { id: account, email: `postmaster@${name}`, creationDate: new Date(createdAt).toISOString() },
  }));
  return reply({ domains, count: domains.length, current_page: 1, total_pages: 1 });
}

export async function create(parts: DomainParts, call: Call): Promise<Reply> {
  const body = parseJson(await call.body());
  if (!isFields(body) || isAbsent(body.name)) throw missing('name');
  const name = typeof body.name === 'string' ? parseDomain(body.name) : null;
  if (name === null) throw new AppError('invalid_field', `name is not valid. ${domainRule}`);
  const made = await makeOrRefuse(parts, call.caller.account, name);
  return reply({
    id: made.id,
    domain_name: name,
    domain_provider: 'Other',
    message: 'Domain added successfully. To authenticate it, add following DNS records',
    dns_records: recordsShown(parts, made),
  });
}

export async function show(parts: DomainParts, call: Call): Promise<Reply> {
  const domain = await existing(parts, call);
  const isVerified = domain.status === 'verified';
  return reply({
    domain: domain.name,
    verified: isVerified,
    authenticated: isVerified,
    dns_records: recordsShown(parts, domain),
  });
}

/** The look itself comes a moment later; the answer says what is known. */
export async function authenticate(parts: DomainParts, call: Call): Promise<Reply> {
  const domain = await existing(parts, call);
  if (!(await parts.domains.verify(domain.account, domain.id))) throw notFound();
  const message =
    domain.status === 'verified'
      ? 'Domain has been authenticated successfully.'
      : 'Domain authentication is under way: its DNS records are looked for.';
  return reply({ domain_name: domain.name, message });
}

export async function remove(parts: DomainParts, call: Call): Promise<Reply> {
  const { account, id } = await existing(parts, call);
  if (!(await parts.domains.remove(account, id))) throw notFound();
  return { status: 204, body: null };
}

async function makeOrRefuse({ domains }: DomainParts, account: string, name: string): Promise<Domain> {
  try {
    return await domains.make(account, name, region);
  } catch (error) {
    if (!(error instanceof AppError) || error.code !== 'domain_not_allowed') throw error;
    throw new AppError('already_exists', 'Domain already exists', { cause: error });
  }
}

async function existing({ domains }: DomainParts, call: Call): Promise<Domain> {
  const name = parseDomain(call.param('domain')) ?? '';
  const domain = await domains.find(call.caller.account, { name });
  if (!domain) throw notFound();
  return domain;
}

function recordsShown({ spfSenders }: DomainParts, domain: Domain) {
  const named = (record: DnsRecord) => ({
    host_name: record.name,
    type: 'TXT',
    value: record.value,
    status: domain.seen[record.kind] === 'verified',
  });
  const records = recordsOf(domain.name, domain.keys, spfSenders());
  return Object.fromEntries(records.map((record) => [`${record.kind}_record`, named(record)]));
}

function notFound(): AppError {
  return new AppError('not_found', 'Domain does not exist');
}

function reply(body: unknown): Reply {
  return { status: 200, body: JSON.stringify(body) };
}
