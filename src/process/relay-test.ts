/** One session with a relay of the settings, for a person who wants to know whether it can be used. */

import type { MxServer } from '../config/mx-url.ts';
import type { RelayTarget } from '../config/relay-entry.ts';
import type { RelayServer } from '../config/relay-url.ts';
import type { UpstreamServer } from '../config/upstream-url.ts';
import type { RelayTrouble } from '../core/relay-trouble.ts';
import { findMailHosts } from '../deliver/mx/mail-hosts.ts';
import { withTokens } from '../deliver/smtp-auth.ts';
import { type Extensions, NoSession, openSession, ownName, quit } from '../deliver/smtp-session.ts';
import type { Wire } from '../deliver/smtp-wire.ts';
import { createUpstream } from '../deliver/upstream/upstream.ts';
import { createAddressPolicy } from '../egress/address.ts';
import { createMailDns } from '../egress/mail-dns.ts';

/** `came`: what the session came to, to be compared with what was meant. `words`: the relay's own, without credentials. */
export type Tested = { came: string[] } | { trouble: RelayTrouble | null; words: string };

/** Somebody waits for the answer. */
const patience = { connectTimeoutMs: 10_000, greetingTimeoutMs: 8_000, stallTimeoutMs: 10_000 };

export async function testRelay(target: RelayTarget): Promise<Tested> {
  switch (target.kind) {
    case 'smtp':
      return testSmtp(target.server);
    case 'mx':
      return testMx(target.server);
    case 'upstream':
      return testUpstream(target.server);
  }
}

/** Whether a large service's server can be reached: resolvers, and port 25, which many hosts block. */
async function testMx({ dns: servers, port, probe, allow, name, source }: MxServer): Promise<Tested> {
  const dns = createMailDns(servers);
  if (!(await dns.isThere())) return { trouble: 'no_resolver', words: 'nobody answers' };
  const found = await findMailHosts(dns, probe, Math.random);
  if (!('hosts' in found)) return { trouble: null, words: 'refused' in found ? found.refused.text : found.unknown };
  const [host = probe] = found.hosts;
  const addresses = await dns.addresses(host).catch(() => []);
  const address = addresses.filter(createAddressPolicy(allow))[0];
  if (address === undefined) return { trouble: null, words: `${host} has no address that is public` };
  const own = { ...(name === undefined ? {} : { name }), ...(source === undefined ? {} : { localAddress: source }) };
  try {
    const terms = { host: address, port, secure: false, auth: null, tls: { servername: host }, ...own, ...patience };
    const { wire } = await openSession({ ...terms, starttls: 'opportunistic' });
    const came = [`DNS names ${host} for ${probe}`, 'it answers', wire.isSecure ? 'TLS' : 'no TLS'];
    await quit(wire);
    return { came: [...came, `we call ourselves ${name ?? ownName()}`] };
  } catch (error) {
    if (!(error instanceof NoSession)) throw error;
    return { trouble: 'port_25', words: `${host} [${address}]: ${error.message}` };
  }
}

/** Whether it is there: a key can only be tried by sending. */
async function testUpstream({ key: apiKey, ...server }: UpstreamServer): Promise<Tested> {
  const relay = createUpstream({ ...server, apiKey, concurrency: 1 });
  const trouble = await relay.probe?.();
  await relay.close();
  if (trouble) return { trouble: trouble.said.problem ?? null, words: trouble.text };
  return {
    came: [
      'answers',
      server.isSecure ? 'TLS' : 'no TLS: whoever stands between reads the mail',
      'its key was not tried',
    ],
  };
}

async function testSmtp(server: RelayServer): Promise<Tested> {
  try {
    const { wire, extensions } = await openSession({ ...withTokens(server), ...patience });
    await quit(wire);
    return { came: [...greetedWith(server, wire, extensions)] };
  } catch (error) {
    if (!(error instanceof NoSession)) throw error;
    return { trouble: error.trouble, words: error.message };
  }
}

function* greetedWith({ auth }: RelayServer, wire: Wire, extensions: Extensions): Iterable<string> {
  yield 'answers';
  yield wire.isSecure ? 'TLS' : 'no TLS: whoever stands between reads the mail';
  if (auth) yield `${auth.user} is logged in`;
  else if (extensions.has('AUTH'))
    yield 'no login: it offers one, and may take no mail without (user and password in RELAY_URL)';
}
