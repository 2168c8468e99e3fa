/** TXT records of a name, asked of the system's resolvers. */

import { Resolver } from 'node:dns/promises';
import type { FindTexts } from '../core/domain.ts';

/** What is not answered by then, by whatever resolver, counts as silence: a server that stops waits for it. */
const patienceMs = 3_000;

/** `servers`: instead of the system's, as `127.0.0.1:5353`. */
export function createFindTexts(servers: readonly string[] = []): FindTexts {
  return async (name) => {
    const resolver = new Resolver({ timeout: patienceMs / 3, tries: 3 });
    if (servers.length > 0) resolver.setServers(servers);
    const timer = setTimeout(() => resolver.cancel(), patienceMs);
    try {
      return (await resolver.resolveTxt(name)).map((pieces) => pieces.join(''));
    } catch (error) {
      if (['ENOTFOUND', 'ENODATA'].includes((error as { code?: string }).code ?? '')) return [];
      throw error;
    } finally {
      clearTimeout(timer);
    }
  };
}
