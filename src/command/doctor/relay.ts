/** What `sendonce doctor` says of the relays, asked all that the server would ask before the first mail, and of what signs mail. */

import type { Config } from '../../config/config.ts';
import type { RelayTarget } from '../../config/relay-entry.ts';
import { adviceOnTrouble } from '../../core/relay-trouble.ts';
import { testRelay } from '../../process/relay-test.ts';
import { printable } from '../terminal.ts';
import { type Finding, fail, note, ok } from './finding.ts';

export async function checkRelays({ relay }: Config): Promise<Finding[]> {
  switch (relay.kind) {
    case 'capture':
      return [note('no relay: mail is captured and nothing leaves. Set RELAY_URL to send for real')];
    case 'smtp':
      return [await checkRelay(`relay ${relay.server.host}:${relay.server.port}`, relay)];
    case 'mx':
      return [await checkRelay("relay mx (the recipients' own servers)", relay)];
    case 'file': {
      const { relays, routes } = relay.file;
      const all = relays.map((one) => checkRelay(`relay ${one.name} (${placeOf(one)})`, one));
      return [...(await Promise.all(all)), ok(`${routes.length} routes between ${relays.length} relays`)];
    }
    default:
      return relay satisfies never;
  }
}

function placeOf(target: RelayTarget): string {
  return target.kind === 'mx' ? "the recipients' own servers" : `${target.server.host}:${target.server.port}`;
}

export async function checkRelay(where: string, target: RelayTarget): Promise<Finding> {
  const tested = await testRelay(target);
  if (!('trouble' in tested)) return ok(`${where} ${tested.came.join(', ')}`);
  const { heading, next } = adviceOnTrouble(tested.trouble);
  const words = `${heading.replace(/^The relay /, 'it ')} (${printable(tested.words)})`;
  return fail(`${where}: ${words}. ${next} Until then mail waits in the queue.`);
}

/** Those that cannot be used are among the settings' problems. */
export function checkDkim({ dkim }: Config): Finding[] {
  return dkim.map(({ domain, selector }) => ok(`DKIM: ${domain} signs with selector ${selector}`));
}
