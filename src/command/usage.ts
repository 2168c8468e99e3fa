/** What can be typed: the help of all commands and of each, and what was probably meant by something else. */

import { settingNames } from '../config/settings.ts';
import { nearestOf } from '../core/spelling.ts';
import { CommandError } from './terminal.ts';

const usage = `Usage: sendonce [command] [--setting value …] [--env-file FILE]

  serve                              run the server (the default)
  init [FILE] [--force]              ask for the settings, test the relay, and write them to a file for --env-file
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
  bounce [RECIPIENT] < MAIL          take what came back about a mail, from a pipe of the mail server
  bounce list|show ID                what came back and matched nothing
  recipient export ADDRESS           what is kept of one person, a line of JSON each: contact, suppression, emails with their events
  recipient erase ADDRESS            forget all of it: contents, addresses, free pages and log; counts stay, and who was suppressed stays so
  import resend|brevo --key KEY [--account A] [--upstream URL]
                                     take over suppressions, contacts and their lists from there; may be interrupted and run again
  backup FILE [--force]              copy a SQLite database, while it is served too, and check the copy
  restore FILE [--force]             put one back: what may have left since is held
  migrate                            bring the database's schema up to date
  migrate --from sqlite:PATH --to postgres://USER:PASSWORD@HOST/DATABASE
                                     (without --to: to DATABASE_URL) move everything from SQLite to PostgreSQL; may be interrupted and run again
  outbox init|drain|status|retry|drop
                                     rows in your own database that become requests, exactly once: sendonce outbox says more
  doctor                             check settings, database, disk, clock, relay, DKIM keys and DNS
  check-code PATH                    each call of Resend or Brevo in an app's code: works, works but differs, not here
  chaos --upstream URL --port N [--lose-answers 0.3] [--seed N]
                                     a proxy for your app's tests: loses and spoils answers, and counts what was sent twice

Every setting is an environment variable, a flag (PORT=3000 is --port 3000), or a line of the file that --env-file names; flags win over
the environment, and that over the file. The exit status is 0 when it is done, 1 when it failed, and 2 when what was typed is wrong.
${settingNames.map((name) => `  ${name}`).join('\n')}`;

const commandNames = ['help', ...new Set(Array.from(usage.matchAll(/^ {2}([a-z-]+) /gm), ([, name = '']) => name))];

/** What was typed means nothing: the exit status is another one. */
export class UsageError extends CommandError {}

/** What the usage has on one command; all of it where none is named. @throws UsageError where there is no such command. */
export function usageOf(command: string | undefined): string {
  if (command !== undefined && !commandNames.includes(command)) throw noSuchCommand(command);
  const [head = '', ...entries] = usage.split(/\n {2}(?=[a-z])/);
  const own = entries.filter((entry) => entry.split(/\s/)[0] === command);
  return own.length === 0 ? usage : [head.trimEnd(), ...own.map((entry) => entry.split('\n\n')[0])].join('\n  ');
}

/** What is wrong is said last, where it is read: after the usage. */
export function noSuchCommand(command: string): UsageError {
  return new UsageError(`${usage}\n\nThere is no command "${command}"${suggestion(command, commandNames)}`);
}

/** `sentence` is Node's own, without its full stop. */
export function noSuchFlag(sentence: string, flag: string, flags: readonly string[]): UsageError {
  return new UsageError(`${usage}\n\n${sentence}${suggestion(flag, flags, '--')}`);
}

function suggestion(word: string, names: readonly string[], before = ''): string {
  const meant = nearestOf(word.toLowerCase(), names);
  return meant === null ? '.' : `: did you mean ${before}${meant}?`;
}
