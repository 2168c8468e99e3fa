/** `sendonce queue`: what is queued, deferred and in doubt, and the answer to a doubt. */

import type { Config } from '../config/config.ts';
import { isUuid } from '../core/token.ts';
import type { Database } from '../store/database.ts';
import { type DoubtAnswer, doubtAnswers } from '../store/mail/doubt.ts';
import { countOpen, listOpen, type OpenDelivery } from '../store/mail/open.ts';
import { holdOpenDeliveries } from '../use-cases/hold.ts';
import { createSettleDoubt, type SettleDoubt } from '../use-cases/settle-doubt.ts';
import { CommandError, printable, relativeTime, table, withDatabase } from './terminal.ts';
import { UsageError } from './usage.ts';

const shownMax = 100;

export async function queue(config: Config, [action = 'list', target, answer]: string[]): Promise<void> {
  if (action === 'list') return withDatabase(config, { create: false }, show);
  if (action === 'hold') return withDatabase(config, { create: false }, hold);
  const known = doubtAnswers.find((one) => one === answer);
  if (action === 'settle' && target && known) {
    return withDatabase(config, { create: false }, (database) =>
      target === 'all' ? settleAll(database, known) : settle(database, target, known),
    );
  }
  throw new UsageError(
    `Usage: sendonce queue | sendonce queue settle EMAIL[.PART]|all ${doubtAnswers.join('|')} | sendonce queue hold`,
  );
}

async function show(database: Database): Promise<void> {
  const counts = await countOpen(database);
  const open = await listOpen(database, ['in_doubt', 'handoff', 'sending', 'queued'], shownMax);
  const states = ['in_doubt', 'handoff', 'sending', 'queued'] as const;
  console.log(`${states.map((state) => `${counts[state] ?? 0} ${state}`).join(' · ')}\n`);
  if (open.length === 0) return console.log('Nothing is waiting.');
  const now = database.wall();
  const rows = open.map((one) => row(one, now));
  console.log(table(['STATE', 'EMAIL', 'DUE', 'TRIES', 'TO', 'SUBJECT', 'LAST REPLY'], rows));
  const total = states.reduce((sum, state) => sum + (counts[state] ?? 0), 0);
  if (total > open.length) console.log(`… and ${total - open.length} more.`);
  if (counts.in_doubt) console.log(doubtHelp);
}

const doubtHelp = `
In doubt: the mail may have been handed over, and the relay's answer never arrived. Look for its Message-ID in the
relay's log, then answer with one of
  sendonce queue settle EMAIL sent         the relay has it: nothing is sent
  sendonce queue settle EMAIL send-again   the same bytes go out again: a duplicate if the relay had it after all
  sendonce queue settle EMAIL abandon      given up: lost if the relay did not have it
With "all" for EMAIL one answer settles them all.`;

function row(one: OpenDelivery, now: number): string[] {
  const [first = '', ...others] = one.recipients;
  const state = one.state === 'queued' && one.reply !== null ? 'deferred' : one.state;
  return [
    one.possibleDuplicate ? `${state} (again)` : state,
    one.part === 0 ? one.emailId : `${one.emailId}.${one.part}`,
    one.state === 'queued' ? relativeTime(one.runAt, now) : relativeTime(one.gatedAt ?? now, now),
    String(one.tries),
    printable(others.length === 0 ? first : `${first} +${others.length}`),
    printable(one.subject.slice(0, 40)),
    printable(one.reply ?? ''),
  ];
}

/** For whoever restores a backup where no witness can tell: before the server starts on it. */
async function hold(database: Database): Promise<void> {
  const held = await holdOpenDeliveries(database, database.wall(), 'An operator holds it.');
  console.log(`${held} deliveries are held. See sendonce queue for what to do with them.`);
}

async function settle(database: Database, target: string, answer: DoubtAnswer): Promise<void> {
  const [emailId = '', part = '0'] = target.toLowerCase().split('.');
  if (!isUuid(emailId) || !/^\d+$/.test(part)) throw new CommandError(`"${target}" is not an email id.`);
  const named = { account: null, emailId, part: Number(part) };
  const { isSettled, state } = await settleDoubt(database).answer(named, answer);
  if (!isSettled) {
    throw new CommandError(`${target} is not in doubt${state ? `, it is ${state} now` : ''}; see sendonce queue.`);
  }
  console.log(outcomes[answer]);
}

async function settleAll(database: Database, answer: DoubtAnswer): Promise<void> {
  const settled = await settleDoubt(database).answerAll(answer);
  console.log(settled === 0 ? 'Nothing is in doubt.' : `${settled} in doubt. ${outcomes[answer]}`);
}

/** A running server is told, or finds it when it next looks. */
function settleDoubt(database: Database): SettleDoubt {
  return createSettleDoubt({ database, now: () => database.wall(), onSettled: () => database.announce() });
}

const outcomes: Record<DoubtAnswer, string> = {
  sent: 'Recorded as sent.',
  'send-again': 'Queued again: the same bytes under the same Message-ID.',
  abandon: 'Given up; it shows as failed.',
};
