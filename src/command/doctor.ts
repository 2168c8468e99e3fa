/** `sendonce doctor`: checks what the server stands on, and says what to do about what is wrong. */

import { dirname } from 'node:path';
import type { Config, Examined } from '../config/config.ts';
import type { Problem, SettingName } from '../config/settings.ts';
import { databaseName } from '../process/open-database.ts';
import { checkDatabase } from './doctor/database.ts';
import { type Check, type Finding, found } from './doctor/finding.ts';
import { checkDisk, checkFiles } from './doctor/machine.ts';
import { checkMailbox } from './doctor/mailbox.ts';
import { checkDkim, checkRelays } from './doctor/relay.ts';

/** Prints a line a check, whatever the others find; the exit status is 1 when one of them failed. */
export async function doctor({ config, problems }: Examined): Promise<void> {
  const findings = settingsFound(problems);
  for (const check of checksOf(config, problems)) findings.push(...(await found(check)));
  for (const { is, text } of findings) console.log(`${is.padEnd(5)} ${text}`);
  if (findings.some(({ is }) => is === 'FAIL')) process.exitCode = 1;
}

function settingsFound(problems: readonly Problem[]): Finding[] {
  if (problems.length === 0) return [{ is: 'ok', text: 'the settings can be used' }];
  return problems.map(({ text }) => ({ is: 'FAIL', text }));
}

/** What a setting that is wrong leaves to be checked. */
function checksOf(config: Config, problems: readonly Problem[]): Check[] {
  const isWrong = (name: SettingName) => problems.some(({ setting }) => setting === name);
  const knowsDatabase = !isWrong('DATABASE_URL');
  const folder = config.database.engine === 'sqlite' && knowsDatabase ? dirname(config.database.path) : config.stateDir;
  return [
    ...(knowsDatabase ? [{ of: databaseName(config.database), find: () => checkDatabase(config) }] : []),
    { of: 'disk', find: () => checkDisk(folder) },
    ...(knowsDatabase ? [{ of: 'files', find: async () => checkFiles(config) }] : []),
    ...(isWrong('RELAY_URL') || isWrong('RELAYS_FILE') ? [] : [{ of: 'relay', find: () => checkRelays(config) }]),
    { of: 'mailbox', find: () => checkMailbox(config) },
    { of: 'DKIM', find: async () => checkDkim(config) },
  ];
}
