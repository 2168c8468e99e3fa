/** AUTH (RFC 4954): PLAIN, LOGIN or CRAM-MD5, the first of these that the relay offers. */

import { createHmac } from 'node:crypto';
import type { Wire } from './smtp-wire.ts';

export type Credentials = { user: string; pass: string };

type Mechanism = (wire: Wire, credentials: Credentials, secrets: string[]) => Promise<string>;

/** In order of preference: the fewest round trips first, all of them inside TLS where a password may be lost. */
const mechanisms: Record<string, Mechanism> = { PLAIN: plain, LOGIN: login, 'CRAM-MD5': cramMd5 };

/** Throws what the relay said, in words without credentials. `offered` in capitals; PLAIN is tried where none is known. */
export async function authenticate(wire: Wire, credentials: Credentials, offered: readonly string[]): Promise<void> {
  const name = Object.keys(mechanisms).find((known) => offered.includes(known)) ?? 'PLAIN';
  const base64 = [`\0${credentials.user}\0${credentials.pass}`, credentials.pass].map(encode);
  const secrets = [...base64, credentials.pass];
  const reply = await (mechanisms[name] ?? plain)(wire, credentials, secrets);
  // RFC 4954 4: 235, and nothing else, is a login; some relays say 250.
  if (!reply.startsWith('2')) throw new Error(`Invalid login: ${withoutAny(secrets, reply)}`);
}

async function plain(wire: Wire, { user, pass }: Credentials): Promise<string> {
  const response = encode(`\0${user}\0${pass}`);
  const reply = await wire.ask(`AUTH PLAIN ${response}`);
  // Before RFC 4954 the response could not stand beside the command.
  return reply.startsWith('334') ? wire.ask(response) : reply;
}

async function login(wire: Wire, { user, pass }: Credentials): Promise<string> {
  const name = await wire.ask('AUTH LOGIN');
  if (!name.startsWith('334')) return name;
  const password = await wire.ask(encode(user));
  return password.startsWith('334') ? wire.ask(encode(pass)) : password;
}

/** RFC 2195. */
async function cramMd5(wire: Wire, { user, pass }: Credentials, secrets: string[]): Promise<string> {
  const challenge = await wire.ask('AUTH CRAM-MD5');
  if (!challenge.startsWith('334 ')) return challenge;
  const digest = createHmac('md5', pass)
    .update(Buffer.from(challenge.slice(4), 'base64'))
    .digest('hex');
  const response = encode(`${user} ${digest}`);
  secrets.push(response, digest);
  return wire.ask(response);
}

function encode(text: string): string {
  return Buffer.from(text).toString('base64');
}

/** Some relays echo what they refuse. */
function withoutAny(secrets: readonly string[], text: string): string {
  return secrets.reduce((kept, secret) => (secret === '' ? kept : kept.replaceAll(secret, '***')), text);
}
