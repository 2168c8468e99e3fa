/** What is open: deliveries that wait, are under way, or are held, as the queue's listing and the metrics show them. */

import type { DeliveryState } from '../../core/delivery-state.ts';
import { countSql } from '../counts.ts';
import type { DatabaseReader, Reader } from '../database.ts';
import type { DeliveryRef } from './deliveries.ts';
import { isOpenAs } from './open-index.ts';

export type OpenDelivery = DeliveryRef & {
  state: DeliveryState;
  recipients: string[];
  attempt: number;
  /** Times a worker set out with it: a verdict came, the relay was not reached, or nobody knows. */
  tries: number;
  runAt: number;
  gatedAt: number | null;
  possibleDuplicate: boolean;
  reply: string | null;
  messageId: string;
  subject: string;
  /** The relay that may have it. */
  relay: string | null;
  /** Until when an upstream is asked what became of it. */
  repeatUntil: number | null;
};

export type OpenListRow = {
  account: string;
  email_id: string;
  part: number;
  attempt: number;
  recipients: string;
  gated_at: number | null;
  state: DeliveryState;
  tries: number;
  failures: number;
  unanswered: number;
  run_at: number;
  possible_duplicate: number;
  reply: string | null;
  message_id: string;
  summary: string;
  relay: string | null;
  repeat_until: number | null;
};

export const openListColumns = `d.account, d.email_id, d.part, d.attempt, d.recipients, d.gated_at,
  d.state, d.tries, d.failures, d.unanswered, d.run_at, d.possible_duplicate, d.reply, d.relay, d.repeat_until,
  e.message_id, e.summary`;

/** Of each state a page, by when they are due: nothing has to be sorted that is not shown. */
const openOf = {
  in_doubt: isOpenAs('in_doubt', 'd.'),
  handoff: isOpenAs('handoff', 'd.'),
  sending: isOpenAs('sending', 'd.'),
  queued: "d.account = ? and d.state = 'queued'",
} as const;

type OpenState = keyof typeof openOf;

/** Open deliveries, those in doubt first, then by when they are due. */
export async function listOpen(reader: Reader, states: OpenState[], limit: number): Promise<OpenDelivery[]> {
  const open: OpenDelivery[] = [];
  for (const state of ['in_doubt', 'handoff', 'sending', 'queued'] as const) {
    const room = limit - open.length;
    if (room > 0 && states.includes(state)) open.push(...(await listOpenOf(reader, state, room)));
  }
  return open;
}

/** What is queued is in order within its account only. */
async function listOpenOf(reader: Reader, state: OpenState, limit: number): Promise<OpenDelivery[]> {
  const accounts = state === 'queued' ? await reader.all<{ id: string }>('select id from accounts') : [null];
  const rows: OpenListRow[] = [];
  for (const account of accounts) {
    const some = await reader.all<OpenListRow>(
      `select ${openListColumns} from deliveries d join emails e on e.account = d.account and e.id = d.email_id
       where ${openOf[state]} order by d.run_at limit ?`,
      ...(account === null ? [] : [account.id]),
      limit,
    );
    rows.push(...some);
  }
  rows.sort((one, other) => one.run_at - other.run_at);
  return rows.slice(0, limit).map(toOpenDelivery);
}

export function toOpenDelivery(row: OpenListRow): OpenDelivery {
  return {
    account: row.account,
    emailId: row.email_id,
    part: row.part,
    state: row.state,
    recipients: JSON.parse(row.recipients),
    attempt: row.attempt,
    tries: row.tries + row.failures + row.unanswered,
    runAt: row.run_at,
    gatedAt: row.gated_at,
    possibleDuplicate: row.possible_duplicate > 0,
    reply: row.reply,
    messageId: row.message_id,
    subject: JSON.parse(row.summary).subject,
    relay: row.relay,
    repeatUntil: row.repeat_until,
  };
}

const underWaySql = (state: 'sending' | 'handoff') => `(select count(*) from deliveries where ${isOpenAs(state)})`;

/** Open deliveries by state: what waits has been counted, and what is under way is no more than workers hold. */
export async function countOpen(database: DatabaseReader): Promise<Record<OpenState, number>> {
  const [row] = await database.report<Record<OpenState, number | string>>(
    `select ${countSql('queued', 'items', null)} as queued, ${countSql('in_doubt', 'items', null)} as in_doubt,
       ${underWaySql('sending')} as sending, ${underWaySql('handoff')} as handoff`,
  );
  const { queued = 0, in_doubt = 0, sending = 0, handoff = 0 } = row ?? {};
  return { queued: Number(queued), in_doubt: Number(in_doubt), sending: Number(sending), handoff: Number(handoff) };
}
