/** `sendonce chaos`: a proxy that spoils answers, for the tests of an app that sends, and says at the end what it sent twice. */

import { createFaults, type FaultRates, faultNames } from '../chaos/faults.ts';
import type { Tally } from '../chaos/operations.ts';
import { startChaos } from '../chaos/proxy.ts';
import { CommandError } from './terminal.ts';

export type ChaosFlags = Record<string, string | undefined>;

const usage = `Usage: sendonce chaos --upstream URL --port N [--lose-answers 0.3] [--lose-requests 0.1] [--bad-gateways 0.1]
                      [--cut-answers 0.1] [--repeats 0.1] [--delays 0.1] [--delay-ms 3000] [--seed 1] [--json]
Each share is of all requests that send, from 0 to 1; together they are 1 at most. Ctrl-C ends it, and prints what came of it.
Exit code 1: something was accepted twice.`;

/** Serves until SIGINT or SIGTERM. @throws CommandError where a flag is missing or is not what it has to be. */
export async function chaos(flags: ChaosFlags, { json }: { json: boolean }): Promise<void> {
  const seed = numberOf(flags, 'seed', Date.now() % 2 ** 31);
  const running = await startChaos({
    upstream: upstreamOf(flags.upstream),
    host: flags.host ?? '127.0.0.1',
    port: numberOf(flags, 'port', 0),
    faults: createFaults(ratesOf(flags), seed),
    delayMs: numberOf(flags, 'delay-ms', 3_000),
  });
  console.log(`${running.url} passes on to ${flags.upstream}, --seed ${seed}. Ctrl-C ends it.`);
  await new Promise<void>((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve());
  });
  await running.stop();
  const tally = running.tally();
  console.log(json ? JSON.stringify(tally) : summaryOf(tally));
  process.exitCode = tally.twice > 0 ? 1 : 0;
}

function summaryOf({ operations, once, twice, never, requests, keyless, faults }: Tally): string {
  const struck = Object.entries(faults).map(([name, count]) => `${name} ${count}`);
  return [
    `${operations} operations in ${requests} requests: ${once} accepted once, ${twice} twice or more, ${never} never.`,
    `Faults: ${struck.join(', ') || 'none'}.`,
    ...(keyless > 0
      ? [`${keyless} requests had no idempotency key; those with the same bytes count as one operation.`]
      : []),
  ].join('\n');
}

function upstreamOf(text: string | undefined): URL {
  const url = text !== undefined && URL.canParse(text) ? new URL(text) : null;
  if (url && /^https?:$/.test(url.protocol)) return url;
  throw new CommandError(`${usage}\n\n--upstream must be the URL of the server, such as http://127.0.0.1:3000.`);
}

function ratesOf(flags: ChaosFlags): FaultRates {
  const rates = Object.fromEntries(faultNames.map((name) => [name, numberOf(flags, name, 0)])) as FaultRates;
  const total = Object.values(rates).reduce((sum, rate) => sum + rate, 0);
  if (Object.values(rates).some((rate) => rate > 1) || total > 1 + 1e-9)
    throw new CommandError(`${usage}\n\nThe shares add up to ${total}: they are shares of all requests, 1 at most.`);
  return rates;
}

function numberOf(flags: ChaosFlags, name: string, otherwise: number): number {
  const text = flags[name];
  const value = text === undefined ? otherwise : Number(text);
  if (text === '' || !(value >= 0)) throw new CommandError(`${usage}\n\n--${name} must be a number, not "${text}".`);
  return value;
}
