#!/usr/bin/env node
/** The command line: which command, which settings, and how the process ends. */

import { existsSync, readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { CommandError } from './command/terminal.ts';
import { ConfigError, examineConfig, readConfig } from './config/config.ts';
import { findNearMisses } from './config/near-misses.ts';
import { type Environment, settingNames, visibleSecrets } from './config/settings.ts';
import { isUnavailable } from './core/error.ts';
import { nearestOf } from './core/spelling.ts';

const usage = `Usage: sendonce [command] [--setting value …]

  serve                              run the server (the default)
  key create [--name N] [--account A] [--permission full_access|sending_access]
  key list
  key revoke ID
  account create NAME|list|disable NAME|enable NAME|cancel NAME|delete NAME
  account allow NAME DOMAIN          let it send from a domain (*.DOMAIN: from those below it); disallow takes it back
  account limit NAME [--requests-per-second N] [--emails-per-day N] [--stored-bytes N]
  secret forget                      when the secret key of a database is lost: the next start takes another
  queue                              what is queued, deferred and in doubt
  queue settle EMAIL[.PART]|all sent|send-again|abandon
                                     answer for a mail in doubt, or for all of them
  queue hold                         hold everything open, before serving a restored backup on a new machine
  webhook listen [--forward-to URL] [--account A]
                                     print events as they happen, and send them to a program on this machine
  relay list                         how the relays are doing, and what waits for each
  relay test|pause|resume|retry NAME try a session; send nothing more to it; go on; ask it now and send what waited for it
  backup FILE [--force]              copy a SQLite database, while it is served too, and check the copy
  restore FILE [--force]             put one back: what may have left since is held
  migrate                            bring the database's schema up to date
  migrate --from sqlite:PATH --to postgres://USER:PASSWORD@HOST/DATABASE
                                     (without --to: to DATABASE_URL) move everything from SQLite to PostgreSQL; may be interrupted and run again
  outbox init|drain|status|retry|drop
                                     rows in your own database that become requests, exactly once: sendonce outbox says more
  doctor                             check settings, database, disk, relay and DKIM keys
  chaos --upstream URL --port N [--lose-answers 0.3] [--seed N]
                                     a proxy for your app's tests: loses and spoils answers, and counts what was sent twice

Every setting is an environment variable or a flag: PORT=3000 is --port 3000.
${settingNames.map((name) => `  ${name}`).join('\n')}`;

const switches = {
  help: { type: 'boolean', short: 'h' },
  version: { type: 'boolean', short: 'V' },
  force: { type: 'boolean' },
  json: { type: 'boolean' },
  once: { type: 'boolean' },
  print: { type: 'boolean' },
} as const;
const commandNames = ['help', ...new Set(Array.from(usage.matchAll(/^ {2}([a-z]+) /gm), ([, name = '']) => name))];

/** Flags of commands, beside the settings. */
const commandFlags = [
  'name',
  'account',
  'permission',
  'forward-to',
  'from',
  'to',
  'requests-per-second',
  'emails-per-day',
  'stored-bytes',
  'upstream',
  'lose-requests',
  'lose-answers',
  'bad-gateways',
  'cut-answers',
  'repeats',
  'delays',
  'delay-ms',
  'seed',
  'database',
  'key',
  'lanes',
  'rate',
  'metrics-port',
];

// Natural-language times are read with the calendar of the process: in a zone with daylight saving, hours can be missing.
process.env.TZ = 'UTC';

// Whatever this process makes, the database above all, is for its user alone.
process.umask(0o077);

/** A server goes on when nobody reads its log any more. */
let isServing = false;

// Whoever read it has seen enough (`| head`).
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  if (!isServing) process.exit();
});

async function main(): Promise<void> {
  const { positionals, values } = readArguments();
  const { help, version, force = false, json = false, once = false, print = false, ...rest } = values;
  const flags = rest as Record<string, string | undefined>;
  if (version) return void console.log(readVersion());
  if (positionals[0] === 'help') return void console.log(usageOf(positionals[1]));
  if (help) return void console.log(usageOf(positionals[0]));
  const given: Environment = {};
  const environment: Environment = {};
  for (const name of settingNames) {
    given[name] = flags[flagOf(name)];
    environment[name] = given[name] ?? process.env[name];
  }
  for (const name of visibleSecrets(given)) console.error(visible(name));
  for (const [name, meant] of findNearMisses(process.env)) {
    console.error(`sendonce: ${name} is set and is no setting of Sendonce: ${meant} is probably meant.`);
  }
  const [command = 'serve', ...operands] = positionals;
  // It tells what is wrong, instead of ending at it.
  if (command === 'doctor')
    return (await import('./command/doctor.ts')).doctor(examineConfig(environment, process.env));
  // It stands before any server, and needs no settings of its own.
  if (command === 'chaos') return (await import('./command/chaos.ts')).chaos(flags, { json });
  // The caller's database, and no setting of the server.
  if (command === 'outbox') return (await import('./command/outbox.ts')).outbox(operands, { ...flags, once, print });
  const config = readConfig(environment, process.env);
  switch (command) {
    // Loaded when they are asked for: listing keys should not wait for an SMTP client.
    case 'serve':
      isServing = true;
      return (await import('./command/serve.ts')).runServer(config, () => examineConfig(environment, process.env));
    case 'key':
      return (await import('./command/key.ts')).key(config, operands, flags);
    case 'account':
      return (await import('./command/account.ts')).account(config, operands, flags);
    case 'secret':
      return (await import('./command/secret.ts')).secret(config, operands);
    case 'relay':
      return (await import('./command/relay.ts')).relay(config, operands);
    case 'queue':
      return (await import('./command/queue.ts')).queue(config, operands);
    case 'backup':
      return (await import('./command/backup.ts')).backup(config, operands, { force });
    case 'restore':
      return (await import('./command/backup.ts')).restore(config, operands, { force });
    case 'webhook':
      return (await import('./command/webhook.ts')).webhook(config, operands, flags);
    case 'migrate':
      return (await import('./command/migrate.ts')).migrateCommand(config, flags);
    default:
      throw new CommandError(`${usage}\n\nThere is no command "${command}"${suggestion(command, commandNames)}`);
  }
}

/** What the usage has on one command; all of it where there is none. */
function usageOf(command: string | undefined): string {
  const [head = '', ...entries] = usage.split(/\n {2}(?=[a-z])/);
  const own = entries.filter((entry) => entry.split(/\s/)[0] === command);
  return own.length === 0 ? usage : [head.trimEnd(), ...own.map((entry) => entry.split('\n\n')[0])].join('\n  ');
}

/** Beside what is compiled for the package, or a folder further up, for tests. */
function readVersion(): string {
  for (const path of ['../package.json', '../../package.json']) {
    const file = new URL(path, import.meta.url);
    if (existsSync(file)) return JSON.parse(readFileSync(file, 'utf8')).version;
  }
  return 'unknown';
}

function visible(name: string): string {
  return `sendonce: --${flagOf(name)} has a secret in it, which every user of this machine can see (ps): name a file with --${flagOf(`${name}_FILE`)}, or use the environment.`;
}

function readArguments() {
  const names = [...settingNames.map(flagOf), ...commandFlags];
  const strings = Object.fromEntries(names.map((name) => [name, { type: 'string' as const }]));
  try {
    return parseArgs({ allowPositionals: true, options: { ...strings, ...switches } });
  } catch (error) {
    // The sentences after the first are about positional arguments that begin with a dash, which no command has.
    const [first = ''] = (error as Error).message.split('. ');
    const [, option = ''] = /'--([\w-]+)/.exec(first) ?? [];
    throw new CommandError(`${usage}\n\n${first}${suggestion(option, names, '--')}`);
  }
}

/** Said last, where it is read: after the usage. */
function suggestion(word: string, names: readonly string[], before = ''): string {
  const meant = nearestOf(word.toLowerCase(), names);
  return meant === null ? '.' : `: did you mean ${before}${meant}?`;
}

function flagOf(setting: string): string {
  return setting.toLowerCase().replaceAll('_', '-');
}

/** What clients are told names no cause, and whoever starts a program needs nothing else. */
function reasonOf(error: Error): string {
  const cause = isUnavailable(error) ? error.cause : null;
  return cause instanceof Error ? `the database does not work: ${cause.message}` : error.message;
}

main().catch((error: unknown) => {
  const expected = error instanceof ConfigError || error instanceof CommandError;
  console.error(expected ? error.message : error instanceof Error ? `sendonce: ${reasonOf(error)}` : error);
  process.exit(1);
});
