#!/usr/bin/env node
/** The command line: which command, which settings, and how the process ends. */

import { parseArgs } from 'node:util';
import { readEnvFile } from './command/env-file.ts';
import { CommandError } from './command/terminal.ts';
import { noSuchCommand, noSuchFlag, UsageError, usageOf } from './command/usage.ts';
import { ConfigError, examineConfig, readConfig } from './config/config.ts';
import { findNearMisses } from './config/near-misses.ts';
import { type Environment, type Sources, settingNames, visibleSecrets } from './config/settings.ts';
import { isUnavailable } from './core/error.ts';

const switches = {
  help: { type: 'boolean', short: 'h' },
  version: { type: 'boolean', short: 'V' },
  force: { type: 'boolean' },
  json: { type: 'boolean' },
  once: { type: 'boolean' },
  print: { type: 'boolean' },
} as const;
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
  'env-file',
];

// Natural-language times are read with the calendar of the process: in a zone with daylight saving, hours can be missing.
process.env.TZ = 'UTC';

// Whatever this process makes, the database above all, is for its user alone.
process.umask(0o077);

/** How the process ends where the command could not be done. */
let failure = 1;

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
  if (version) return void console.log((await import('./version.ts')).version);
  if (positionals[0] === 'help') return void console.log(usageOf(positionals[1]));
  if (help) return void console.log(usageOf(positionals[0]));
  const [command = 'serve', ...operands] = positionals;
  // EX_TEMPFAIL of sysexits.h: the mail server that pipes mail to it keeps that, and comes again. Any other status would bounce the bounce.
  if (command === 'bounce' && !['list', 'show'].includes(operands[0] ?? '')) failure = 75;
  // It asks for settings, instead of having them.
  if (command === 'init') return (await import('./command/init.ts')).init(operands, { force });
  const { settings: environment, sources } = settingsFrom(flags);
  // It tells what is wrong, instead of ending at it.
  if (command === 'doctor')
    return (await import('./command/doctor.ts')).doctor(examineConfig(environment, process.env));
  // It stands before any server, and needs no settings of its own.
  if (command === 'chaos') return (await import('./command/chaos.ts')).chaos(flags, { json });
  // It reads an app's code, which asks nothing of a server.
  if (command === 'check-code') return (await import('./command/check-code.ts')).checkCode(operands);
  // The caller's database, and no setting of the server.
  if (command === 'outbox') return (await import('./command/outbox.ts')).outbox(operands, { ...flags, once, print });
  const config = readConfig(environment, process.env, sources);
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
    case 'recipient':
      return (await import('./command/recipient.ts')).recipient(config, operands);
    case 'import':
      return (await import('./command/import.ts')).importFrom(config, operands, flags);
    case 'bounce':
      return (await import('./command/bounce.ts')).bounce(config, operands);
    case 'backup':
      return (await import('./command/backup.ts')).backup(config, operands, { force });
    case 'restore':
      return (await import('./command/backup.ts')).restore(config, operands, { force });
    case 'webhook':
      return (await import('./command/webhook.ts')).webhook(config, operands, flags);
    case 'migrate':
      return (await import('./command/migrate.ts')).migrateCommand(config, flags);
    default:
      throw noSuchCommand(command);
  }
}

/** Flags win over the environment, and that over the file. */
function settingsFrom(flags: Record<string, string | undefined>): { settings: Environment; sources: Sources } {
  const path = flags['env-file'];
  const file = path === undefined ? { values: {}, warning: null } : readEnvFile(path);
  if (file.warning !== null) console.error(`sendonce: ${file.warning}`);
  // Of the environment from here on: RELAYS_FILE may name any of them.
  const fromFile = new Set(Object.keys(file.values).filter((name) => process.env[name] === undefined));
  for (const [name, value] of Object.entries(file.values)) process.env[name] ??= value;
  const given: Environment = {};
  const settings: Environment = {};
  const sources: Sources = {};
  for (const name of settingNames) {
    given[name] = flags[flagOf(name)];
    settings[name] = given[name] ?? process.env[name];
    if (given[name] !== undefined) sources[name] = `the flag --${flagOf(name)}`;
    else if (fromFile.has(name)) sources[name] = `${path}`;
  }
  for (const name of visibleSecrets(given)) console.error(visible(name));
  for (const [name, meant] of findNearMisses(process.env)) {
    console.error(`sendonce: ${name} is set and is no setting of Sendonce: ${meant} is probably meant.`);
  }
  return { settings, sources };
}

function visible(name: string): string {
  return `sendonce: --${flagOf(name)} has a secret in it, which every user of this machine can see (ps): name a file with --${flagOf(`${name}_FILE`)}, or use the environment.`;
}

function readArguments() {
  const names = [...settingNames.map(flagOf), ...commandFlags];
  const all = [...names, ...Object.keys(switches)];
  const strings = Object.fromEntries(names.map((name) => [name, { type: 'string' as const }]));
  try {
    return parseArgs({ allowPositionals: true, options: { ...strings, ...switches } });
  } catch (error) {
    // The sentences after the first are about positional arguments that begin with a dash, which no command has.
    const [first = ''] = (error as Error).message.split('. ');
    const [, option = ''] = /'--([\w-]+)/.exec(first) ?? [];
    throw noSuchFlag(first, option, all);
  }
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
  process.exit(failure === 1 && error instanceof UsageError ? 2 : failure);
});
