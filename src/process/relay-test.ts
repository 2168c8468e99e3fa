/** One session with a relay of the settings, for a person who wants to know whether it can be used. */

import type { RelayServer } from '../config/relay-url.ts';
import type { RelayTrouble } from '../core/relay-trouble.ts';
import { type Extensions, NoSession, openSession, quit } from '../deliver/smtp-session.ts';
import type { Wire } from '../deliver/smtp-wire.ts';

/** `came`: what the session came to, to be compared with what was meant. `words`: the relay's own, without credentials. */
export type Tested = { came: string[] } | { trouble: RelayTrouble | null; words: string };

/** Somebody waits for the answer. */
const patience = { connectTimeoutMs: 10_000, greetingTimeoutMs: 8_000, stallTimeoutMs: 10_000 };

export async function testRelay(server: RelayServer): Promise<Tested> {
  try {
    const { wire, extensions } = await openSession({ ...server, ...patience });
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
  else if (extensions.has('AUTH')) yield 'no login (it offers one)';
}
