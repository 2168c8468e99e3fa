/** /domains: what an account sends from, with the records to put into DNS and what was seen of them. */

import { domainRule, parseDomain } from '../../core/domain.ts';
import { AppError } from '../../core/error.ts';
import { type Domain, recordsSeen } from '../../store/domains.ts';
import type { Domains } from '../../use-cases/domains.ts';
import { parseJson } from '../body.ts';
import type { Call, Reply } from '../call.ts';
import { type Fields, isAbsent, isFields } from '../fields.ts';
import { shownRecords } from './domain-records.ts';
import { refusalTexts } from './errors.ts';
import { invalidField, missingField } from './parse-fields.ts';
import { parsePagination, sliceOf } from './parse-query.ts';
import { renderTime } from './render.ts';

export type DomainParts = {
  domains: Domains;
  /** SPF mechanisms of the relays. */
  spfSenders: () => readonly string[];
  /** Where mail for domains is taken; null: nowhere. */
  mailHost: string | null;
};

/** Mail leaves from here, wherever that is: the names are kept because clients compare what they asked for. */
const regions = ['us-east-1', 'eu-west-1', 'sa-east-1', 'ap-northeast-1'] as const;

export async function createDomain(parts: DomainParts, call: Call): Promise<Reply> {
  const fields = await readFields(call);
  if (isAbsent(fields.name)) throw missingField('name');
  const name = typeof fields.name === 'string' ? parseDomain(fields.name) : null;
  if (name === null) throw invalidField('name', domainRule);
  const receives = parseCapabilities(parts, fields) ?? false;
  const made = await parts.domains.make(call.caller.account, name, parseRegion(fields.region));
  if (receives) await parts.domains.receive(call.caller.account, made.id, receives);
  const domain = { ...made, receives };
  return reply(201, { ...membersOf(domain), records: recordsShown(parts, domain) });
}

export async function showDomains({ domains }: DomainParts, call: Call): Promise<Reply> {
  const query = call.query();
  const all = (await domains.list(call.caller.account)).reverse();
  // As the real API's older lists: without a limit all of them, and there are few.
  const page = { ...parsePagination(query), ...(query.limit ? {} : { limit: Math.max(1, all.length) }) };
  const { items, hasMore } = sliceOf(all, page);
  return reply(200, { object: 'list', has_more: hasMore, data: items.map(membersOf) });
}

export async function showDomain(parts: DomainParts, call: Call): Promise<Reply> {
  const domain = await getDomain(parts, call);
  return reply(200, { object: 'domain', ...membersOf(domain), records: recordsShown(parts, domain) });
}

export async function changeDomain(parts: DomainParts, call: Call): Promise<Reply> {
  const fields = await readFields(call);
  const { id } = await getDomain(parts, call);
  const receives = parseCapabilities(parts, fields);
  if (receives !== null) await parts.domains.receive(call.caller.account, id, receives);
  return reply(200, { object: 'domain', id });
}

export async function verifyDomain({ domains }: DomainParts, call: Call): Promise<Reply> {
  const id = idIn(call);
  if (!(await domains.verify(call.caller.account, id))) throw notFound();
  return reply(200, { object: 'domain', id });
}

export async function removeDomain({ domains }: DomainParts, call: Call): Promise<Reply> {
  const id = idIn(call);
  if (!(await domains.remove(call.caller.account, id))) throw notFound();
  return reply(200, { object: 'domain', id, deleted: true });
}

async function getDomain({ domains }: DomainParts, call: Call): Promise<Domain> {
  const domain = await domains.find(call.caller.account, { id: idIn(call) });
  if (!domain) throw notFound();
  return domain;
}

function idIn(call: Call): string {
  return call.param('id').toLowerCase();
}

async function readFields(call: Call): Promise<Fields> {
  const body = parseJson(await call.body()) ?? {};
  if (!isFields(body)) throw new AppError('invalid_field', 'The request body must be a JSON object.');
  return body;
}

/**
 * Whether mail for the domain is to be taken; null: nothing is said of it.
 * @throws AppError: to take what is not done afterwards would be a lie.
 */
function parseCapabilities({ mailHost }: DomainParts, fields: Fields): boolean | null {
  for (const name of ['open_tracking', 'click_tracking'] as const) {
    if (fields[name] === true) throw invalidField(name, 'Opens and clicks are not tracked here.');
  }
  if (fields.tls === 'enforced') throw invalidField('tls', 'The operator decides on TLS, for each relay.');
  const { receiving, sending } = isFields(fields.capabilities) ? fields.capabilities : {};
  if (receiving === 'enabled' && mailHost === null) throw invalidField('capabilities', 'Mail is not received here.');
  if (sending === 'disabled') throw invalidField('capabilities', 'A domain that does not send is deleted.');
  if (receiving === 'enabled') return true;
  return receiving === 'disabled' ? false : null;
}

function parseRegion(value: unknown): string {
  if (isAbsent(value)) return regions[0];
  const region = regions.find((one) => one === value);
  if (!region) throw invalidField('region', `It must be one of ${regions.join(', ')}.`);
  return region;
}

function membersOf({ id, name, status, createdAt, region, receives }: Domain) {
  return {
    id,
    name,
    status,
    created_at: renderTime(createdAt),
    region,
    capabilities: { sending: 'enabled', receiving: receives ? 'enabled' : 'disabled' },
    open_tracking: false,
    click_tracking: false,
  };
}

function recordsShown({ spfSenders, mailHost }: DomainParts, domain: Domain) {
  const sending = shownRecords(recordsSeen(domain, spfSenders()));
  return domain.receives && mailHost !== null ? [...sending, receivingRecord(domain.name, mailHost)] : sending;
}

/** Nobody looks for it: the mail that comes shows that it is there. */
function receivingRecord(name: string, value: string) {
  return { record: 'Receiving', name, type: 'MX', ttl: 'Auto', status: 'not_started', value, priority: 10 };
}

function notFound(): AppError {
  return new AppError('not_found', refusalTexts.domainNotFound);
}

function reply(status: number, body: unknown): Reply {
  return { status, body: JSON.stringify(body) };
}
