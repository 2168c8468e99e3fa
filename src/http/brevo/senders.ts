/** Senders: names for the address mail comes from. Nothing is verified, so that each is active at once. */

import { AppError } from '../../core/error.ts';
import type { Reader } from '../../store/database.ts';
import { findSender, listSenders, type Sender } from '../../store/senders.ts';
import type { Senders } from '../../use-cases/senders.ts';
import { parseJson } from '../body.ts';
import type { Call, Reply } from '../call.ts';
import { type Fields, isAbsent, isFields } from '../fields.ts';
import { parseSender } from './parse-address.ts';
import { missing } from './refusal.ts';

export type SenderParts = { database: Reader; senders: Senders };

const done: Reply = { status: 204, body: null };

export async function list({ database }: SenderParts, call: Call): Promise<Reply> {
  const { domain, ip } = call.query();
  const known = ip === undefined ? await listSenders(database, call.caller.account) : [];
  const shown = domain === undefined ? known : known.filter(({ email }) => email.endsWith(`@${domain}`));
  const senders = shown.map(({ id, name, email }) => ({ id, name, email, active: true, ips: [] }));
  return { status: 200, body: JSON.stringify({ senders }) };
}

export async function create({ senders }: SenderParts, call: Call): Promise<Reply> {
  const fields = await readFields(call);
  if (isAbsent(fields.name)) throw missing('name');
  if (isAbsent(fields.email)) throw missing('email');
  const sender = check({ name: fields.name, email: fields.email });
  const id = await senders.make(call.caller.account, sender);
  if (id === null) throw alreadyExists();
  return { status: 201, body: JSON.stringify({ id, spfError: false, dkimError: false }) };
}

export async function update({ database, senders }: SenderParts, call: Call): Promise<Reply> {
  const fields = await readFields(call);
  const { id, ...known } = await existing(database, call);
  const checked = check({
    name: isAbsent(fields.name) ? known.name : fields.name,
    email: isAbsent(fields.email) ? known.email : fields.email,
  });
  const change = {
    ...(isAbsent(fields.name) ? {} : { name: checked.name }),
    ...(isAbsent(fields.email) ? {} : { email: checked.email }),
  };
  const outcome = await senders.change(call.caller.account, id, change);
  if (outcome === 'taken') throw alreadyExists();
  if (outcome === 'missing') throw notFound();
  return done;
}

export async function remove({ database, senders }: SenderParts, call: Call): Promise<Reply> {
  const { id } = await existing(database, call);
  if (!(await senders.remove(call.caller.account, id))) throw notFound();
  return done;
}

/** Brevo mails a number to the address; whoever asks here has nothing to prove. */
export async function validate({ database }: SenderParts, call: Call): Promise<Reply> {
  await existing(database, call);
  return done;
}

/** Mail leaves by the operator's relays: nobody has an IP of their own. */
export async function noIps(): Promise<Reply> {
  return { status: 200, body: JSON.stringify({ ips: [] }) };
}

export async function noIpsOf({ database }: SenderParts, call: Call): Promise<Reply> {
  await existing(database, call);
  return noIps();
}

async function existing(reader: Reader, call: Call): Promise<Sender> {
  const text = call.param('id');
  const sender = /^\d{1,15}$/.test(text) ? await findSender(reader, call.caller.account, Number(text)) : null;
  if (sender) return sender;
  throw notFound();
}

function notFound(): AppError {
  return new AppError('not_found', 'Sender ID does not exist');
}

/** By the rules of a send, whose `sender` it will stand for. */
function check({ name, email }: { name: unknown; email: unknown }): Omit<Sender, 'id'> {
  parseSender({ name, email });
  return { name: String(name).trim(), email: String(email).trim() };
}

async function readFields(call: Call): Promise<Fields> {
  const body = parseJson(await call.body());
  if (isFields(body)) return body;
  throw new AppError('invalid_field', 'The request body must be a JSON object.');
}

function alreadyExists(): AppError {
  return new AppError('already_exists', 'Sender already exists');
}
