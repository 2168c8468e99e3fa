/** `sendonce import`: what Resend or Brevo know of an account is taken over, so that nobody mails known-dead addresses on the first day. */

import type { Config } from '../config/config.ts';
import { firstAccount } from '../core/account.ts';
import { spfSendersOf } from '../process/relays.ts';
import { openSecrets } from '../process/secret-key.ts';
import { findAccount } from '../store/account-rules.ts';
import type { Database } from '../store/database.ts';
import { createTakeOver, type TakeOver } from '../use-cases/take-over.ts';
import { createMadeThings, type MadeThings } from '../use-cases/take-over-templates.ts';
import { brevoLeftOut, brevoSteps } from './import/brevo.ts';
import { resendLeftOut, resendSteps } from './import/resend.ts';
import { createSource, type Source } from './import/source.ts';
import type { LeftOut, Step, Told } from './import/steps.ts';
import { CommandError, withDatabase } from './terminal.ts';
import { UsageError } from './usage.ts';

export type ImportFlags = { key?: string; account?: string; upstream?: string };

type Service = {
  base: string;
  headers: (key: string) => Record<string, string>;
  steps: (source: Source, into: TakeOver, made: MadeThings, tell: Told) => Step[];
  leftOut: readonly LeftOut[];
};

const services: Readonly<Record<string, Service>> = {
  resend: {
    base: 'https://api.resend.com',
    headers: (key) => ({ authorization: `Bearer ${key}` }),
    steps: resendSteps,
    leftOut: resendLeftOut,
  },
  brevo: {
    base: 'https://api.brevo.com/v3',
    headers: (key) => ({ 'api-key': key, accept: 'application/json' }),
    steps: brevoSteps,
    leftOut: brevoLeftOut,
  },
};

/** `--upstream`: where the API is, where it is not the service's own. */
export async function importFrom(config: Config, [name = '', ...others]: string[], flags: ImportFlags): Promise<void> {
  const service = services[name];
  if (!service || others.length > 0 || !flags.key) {
    throw new UsageError('Usage: sendonce import resend|brevo --key KEY [--account A] [--upstream URL]');
  }
  const account = flags.account ?? firstAccount;
  const source = createSource((flags.upstream ?? service.base).replace(/\/$/, ''), service.headers(flags.key));
  await withDatabase(config, { create: false }, async (database) => {
    await requireAccount(database, account);
    const into = createTakeOver(database, { service: name, account });
    const secrets = await openSecrets(database, config);
    const made = createMadeThings(database, { account, secrets, senders: spfSendersOf(config.relay) });
    const steps = service.steps(source, into, made, (line) => console.log(line));
    for (const step of steps) await takeStep(step, into);
    await into.end(steps.map(({ what }) => what));
  });
  for (const one of service.leftOut) await sayLeftOut(source, one);
}

async function requireAccount(database: Database, account: string): Promise<void> {
  const found = await findAccount(database, account);
  if (!found || found.deletedAt !== null) throw new CommandError(`There is no account ${account}.`);
}

/** What an earlier run has taken is not asked for again: `done` is the place of a step that has ended. */
async function takeStep({ what, take }: Step, into: TakeOver): Promise<void> {
  let place = await into.findPlace(what);
  let taken = 0;
  while (place !== done) {
    const page = await take(place);
    taken += page.taken;
    place = page.next ?? done;
    await into.notePlace(what, place);
    if (process.stderr.isTTY) process.stderr.write(`\r${what}: ${taken}${place === done ? '\n' : ''}`);
  }
  console.log(`${what}: ${taken} taken.`);
}

const done = 'done';

async function sayLeftOut(source: Source, { what, path, why }: LeftOut): Promise<void> {
  const answer = await source(path).catch(() => null);
  const lists = Object.values(answer ?? {}).filter(Array.isArray);
  const count = lists[0]?.length ?? 0;
  if (count > 0) console.log(`${what}: ${count} left out, ${why}.`);
}
