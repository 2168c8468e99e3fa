/** AUTH (RFC 4954): PLAIN, LOGIN or CRAM-MD5, the first of these that the relay offers; XOAUTH2 where there are tokens instead of a password. */

import { createHmac } from 'node:crypto';
import type { OAuthGrant } from '../core/oauth-grant.ts';
import { openTokens } from '../egress/oauth-token.ts';
import type { Wire } from './smtp-wire.ts';

export type Credentials = {
  user: string;
  pass: string;
  /** Instead of `pass`. `refused`: the token that does not work any more. @throws NoToken */
  token?: (refused: string | null) => Promise<string>;
};

/** The same options; where there is a grant, a login by its tokens. */
export function withTokens<T extends { auth: Credentials | null; oauth?: OAuthGrant }>({
  oauth,
  ...options
}: T): Omit<T, 'oauth'> {
  if (!oauth || !options.auth) return options;
  const tokens = openTokens(oauth);
  return { ...options, auth: { ...options.auth, token: (refused: string | null) => tokens.current(refused) } };
}

type Mechanism = (wire: Wire, credentials: Credentials, secrets: string[]) => Promise<string>;

/** In order of preference: the fewest round trips first, all of them inside TLS where a password may be lost. */
const mechanisms: Record<string, Mechanism> = { PLAIN: plain, LOGIN: login, 'CRAM-MD5': cramMd5 };

/** Throws what the relay said, in words without credentials. `offered` in capitals; PLAIN is tried where none is known. */
export async function authenticate(wire: Wire, credentials: Credentials, offered: readonly string[]): Promise<void> {
  if (credentials.token)
    return authenticateByToken(wire, { user: credentials.user, token: credentials.token }, offered);
  const name = Object.keys(mechanisms).find((known) => offered.includes(known)) ?? 'PLAIN';
  const base64 = [`\0${credentials.user}\0${credentials.pass}`, credentials.pass].map(encode);
  const secrets = [...base64, credentials.pass];
  const reply = await (mechanisms[name] ?? plain)(wire, credentials, secrets);
  // RFC 4954 4: 235, and nothing else, is a login; some relays say 250.
  if (!reply.startsWith('2')) throw new Error(`Invalid login: ${withoutAny(secrets, reply)}`);
}

type TokenCredentials = { user: string; token: NonNullable<Credentials['token']> };

/** A token that is refused may have been revoked before its time: a new one is tried once, in the same session. */
async function authenticateByToken(
  wire: Wire,
  { user, token }: TokenCredentials,
  offered: readonly string[],
): Promise<void> {
  if (!offered.includes('XOAUTH2')) throw new Error('Invalid login: the relay does not offer XOAUTH2');
  const first = await token(null);
  let reply = await xoauth2(wire, user, first);
  const secrets = [first];
  if (reply.startsWith('535')) {
    const second = await token(first);
    secrets.push(second);
    if (second !== first) reply = await xoauth2(wire, user, second);
  }
  if (!reply.startsWith('2')) {
    const encoded = secrets.map((one) => encode(`user=${user}\x01auth=Bearer ${one}\x01\x01`));
    throw new Error(`Invalid login: ${withoutAny([...encoded, ...secrets], reply)}`);
  }
}

/** As Google and Microsoft document it: a refusal comes as a challenge with its reason, which wants an empty answer. */
async function xoauth2(wire: Wire, user: string, token: string): Promise<string> {
  const reply = await wire.ask(`AUTH XOAUTH2 ${encode(`user=${user}\x01auth=Bearer ${token}\x01\x01`)}`);
  return reply.startsWith('334') ? wire.ask('') : reply;
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
