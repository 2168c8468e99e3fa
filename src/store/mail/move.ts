/** The one function that moves a delivery along an edge of `core/delivery.ts`, and writes the event from the row that came back. */

import { type EdgeName, edges } from '../../core/delivery.ts';
import type { DeliveryState, Edge } from '../../core/delivery-state.ts';
import { type Eraser, eraseIn } from '../../core/erased.ts';
import type { EventType } from '../../core/event.ts';
import type { PassedOver } from '../../core/passed-over.ts';
import { suppressionKey } from '../../core/suppression.ts';
import { addToCount, type Count } from '../counts.ts';
import type { SqlValue, Transaction } from '../database.ts';
import type { InDoubtPolicy } from './deliveries.ts';
import { columnParams, columnSql, conditions, countsOf } from './edge-columns.ts';
import { type Place, parameterOf, type Terms, type Told } from './edge-terms.ts';
import { appendEvent, type EventDetail, wordless } from './events.ts';

/** A delivery as the edge has left it. */
export type Moved = {
  part: number;
  /** The one it has left. */
  from: DeliveryState;
  state: DeliveryState;
  attempt: number;
  tries: number;
  failures: number;
  unanswered: number;
  recipients: string[];
  giveUpAt: number;
  policy: InDoubtPolicy | null;
  possibleDuplicate: boolean;
  contentHash: Uint8Array | null;
  wordless: number;
  relay: string | null;
  passedOver: PassedOver[];
  upstreamId: string | null;
};

/**
 * Takes an edge for one part of an email, or for all its parts that can. Where no row can, nobody moved it and nothing is
 * written: `otherwise` says what that means to the caller, or throws, which undoes all of its transaction.
 */
export async function move<Name extends EdgeName, T>(
  tx: Transaction,
  name: Name,
  place: Place,
  terms: Terms<Name>,
  otherwise: () => T,
): Promise<Moved[] | T> {
  const moved = await moveUncounted(tx, name, place, terms);
  if (moved.length === 0) return otherwise();
  countMoves(tx, place.account, moved);
  return moved;
}

/** For a caller that moves several, and counts them together (`countMoves`) in the same transaction. Empty: nobody moved. */
export async function moveUncounted<Name extends EdgeName>(
  tx: Transaction,
  name: Name,
  place: Place,
  terms: Terms<Name>,
): Promise<Moved[]> {
  return (await moveRows<MovedRow>(tx, name, place, { columns: 'all', terms })).map(toMoved);
}

/** Writes the events, too. */
async function moveRows<Row extends ToldRow>(
  tx: Transaction,
  name: EdgeName,
  place: Place,
  { columns, terms }: { columns: Columns; terms: Told },
): Promise<Row[]> {
  const edge: Edge = edges[name];
  const { sql, params } = filled(name, place, columns, terms);
  const rows = await tx.all<Row>(sql, ...params);
  for (const type of rows.length === 0 ? [] : (edge.events ?? [])) {
    if (edge.tells === 'first_failure' && rows.every((one) => one.failures > 1)) continue;
    const moved = rows.map(toBrief);
    await appendEvent(tx, place.account, place.emailId, type, terms.now, detailOf(edge, type, moved, terms));
  }
  return rows;
}

const countedStates = ['queued', 'in_doubt'] as const;

/** Nothing is told of it, and nothing that is counted changes, as with a gate: of its row nothing is needed. */
function isSilent({ from, to, events = [] }: Edge): boolean {
  return events.length === 0 && !countedStates.some((state) => state === to || from.includes(state));
}

/** No edge that leaves one of the two states that are counted changes who the recipients are. */
export function countMoves(tx: Transaction, account: string, moved: Brief[]): void {
  for (const state of countedStates) {
    const more: Count = { items: 0, recipients: 0 };
    for (const one of moved) {
      const sign = Number(one.state === state) - Number(one.from === state);
      more.items += sign;
      more.recipients += sign * one.recipients.length;
    }
    addToCount(tx, account, state, more);
  }
}

/** The same for one delivery, for those who only ask whether it moved. */
export async function moves<Name extends EdgeName>(
  tx: Transaction,
  name: Name,
  place: Place & { part: number },
  terms: Terms<Name>,
): Promise<boolean> {
  if (isSilent(edges[name])) {
    const { sql, params } = filled(name, place, 'none', terms);
    return (await tx.run(sql, ...params)) > 0;
  }
  const rows = await moveRows<ToldRow>(tx, name, place, { columns: 'told', terms });
  countMoves(tx, place.account, rows.map(toBrief));
  return rows.length > 0;
}

/** Added member by member, in the order in which they are stored. */
function detailOf(edge: Edge, type: EventType, moved: Brief[], { reply, fence, detail }: Told): EventDetail {
  const told: EventDetail = {};
  addRelay(told, type, moved);
  // A new schedule is about the email, whoever it is for.
  if (detail?.scheduled_at === undefined) told.recipients = moved.flatMap((one) => one.recipients);
  if (reply !== undefined) {
    told.reply = reply.text;
    told.said = reply.said;
  }
  if (!edge.by && fence !== undefined) told.attempt = fence;
  if (edge.to === 'in_doubt') told.in_doubt = true;
  if (edge.by) told.by = edge.by;
  return detail ? Object.assign(told, detail) : told;
}

/** What the relay has to do with. */
const ofRelays: readonly EventType[] = ['sent', 'delivered', 'bounced', 'delivery_delayed'];

function addRelay(told: EventDetail, type: EventType, [one]: Brief[]): void {
  if (!one || one.relay === null || !ofRelays.includes(type)) return;
  told.relay = one.relay;
  const others = one.passedOver.filter(({ relay }) => relay !== one.relay);
  if (others.length > 0) told.passed_over = others.map(({ relay, reason }) => ({ relay, reason }));
  if (one.upstreamId !== null) told.upstream_id = one.upstreamId;
}

/** What events and counts need of a delivery. */
type Brief = Pick<Moved, 'from' | 'state' | 'recipients' | 'relay' | 'passedOver' | 'upstreamId'>;

type ToldRow = {
  moved_from: DeliveryState;
  state: DeliveryState;
  failures: number;
  recipients: string;
  relay: string | null;
  passed_over: string | null;
  upstream_id: string | null;
};

type MovedRow = ToldRow & {
  part: number;
  attempt: number;
  tries: number;
  unanswered: number;
  give_up_at: number;
  in_doubt_policy: InDoubtPolicy | null;
  possible_duplicate: number;
  content_hash: Uint8Array | null;
  wordless: number;
};

/** Each column that comes back costs as much as writing it: who only asks whether it moved leaves out what events and counts do without. */
const returned = {
  none: null,
  told: 'moved_from, state, failures, recipients, relay, passed_over, upstream_id',
  all: `part, moved_from, state, attempt, tries, failures, unanswered, recipients, give_up_at, in_doubt_policy,
  possible_duplicate, content_hash, wordless, relay, passed_over, upstream_id`,
} as const;

type Columns = keyof typeof returned;

function returning(columns: Columns): string {
  return columns === 'none' ? '' : ` returning ${returned[columns]}`;
}

function toBrief(row: ToldRow): Brief {
  return {
    from: row.moved_from,
    state: row.state,
    recipients: JSON.parse(row.recipients),
    relay: row.relay,
    passedOver: row.passed_over === null ? [] : JSON.parse(row.passed_over),
    upstreamId: row.upstream_id,
  };
}

/** Members are written out: it is done at each step of each delivery, and a spread takes several times as long. */
function toMoved(row: MovedRow): Moved {
  const { from, state, recipients, relay, passedOver, upstreamId } = toBrief(row);
  return {
    from,
    state,
    recipients,
    relay,
    passedOver,
    upstreamId,
    part: row.part,
    attempt: row.attempt,
    tries: row.tries,
    failures: row.failures,
    unanswered: row.unanswered,
    giveUpAt: row.give_up_at,
    policy: row.in_doubt_policy,
    possibleDuplicate: row.possible_duplicate > 0,
    contentHash: row.content_hash,
    wordless: row.wordless,
  };
}

/** An edge as SQL, and the names of its parameters in their order. */
export type Statement = { sql: string; names: string[] };

/** By edge and by what comes back; for one part or for all. */
const statements = new Map<string, Statement>();

function filled(name: EdgeName, place: Place, columns: Columns, terms: Told): { sql: string; params: SqlValue[] } {
  const { sql, names } = statementOf(name, place.part !== undefined, columns);
  return { sql, params: names.map((one) => parameterOf(one, terms, place) ?? null) };
}

/** The name of the edge stands in the text: who reads a server's log, or changes one edge in a test, knows it by that. */
function statementOf(name: EdgeName, isOnePart: boolean, columns: Columns): Statement {
  const key = `${name} ${columns} ${isOnePart}`;
  const known = statements.get(key);
  if (known) return known;
  const made = writeStatement(name, edges[name], isOnePart, columns);
  statements.set(key, made);
  return made;
}

export function writeStatement(name: string, edge: Edge, isOnePart: boolean, columns: Columns = 'all'): Statement {
  const sets = [
    'moved_from = state',
    `state = '${edge.to}'`,
    ...countsOf(edge),
    ...edge.sets.map((column) => columnSql[column]),
  ];
  // Whoever has it, has it only while it is being sent.
  if (edge.to !== 'sending' && edge.to !== 'handoff') sets.push('worker = null');
  if (!edge.sets.includes('waits_for')) sets.push('waits_for = null');
  // `state || ''`: without statistics a planner takes the index of what is due, and reads the whole account in it. Written out: for a
  // list of three words SQLite makes a table each time.
  const states = edge.from.map((state) => `state || '' = '${state}'`).join(' or ');
  const wheres = [
    'account = ? and email_id = ?',
    ...(isOnePart ? ['part = ?'] : []),
    `(${states})`,
    ...(edge.fence === 'state' ? [] : [`${edge.fence} = ?`]),
    ...(edge.unless ? [conditions[edge.unless]] : []),
  ];
  return {
    sql: `update deliveries /* ${name} */ set ${sets.join(', ')} where ${wheres.join(' and ')}${returning(columns)}`,
    names: [
      ...edge.sets.flatMap((column) => columnParams[column]),
      'account',
      'email_id',
      ...(isOnePart ? ['part'] : []),
      ...(edge.fence === 'state' ? [] : ['fence']),
    ],
  };
}

/** No move: deliveries that are over forget a recipient, and what was said of that one in words. Recipients stay as many. */
export async function eraseFromDeliveries(
  tx: Transaction,
  { account, emailId }: Place,
  { person, standIn, erase }: { person: string; standIn: string; erase: Eraser },
): Promise<void> {
  const rows = await tx.all<{ part: number; recipients: string; reply: string | null; passed_over: string | null }>(
    'select part, recipients, reply, passed_over from deliveries where account = ? and email_id = ?',
    account,
    emailId,
  );
  for (const { part, recipients, reply, passed_over } of rows) {
    const known: string[] = JSON.parse(recipients);
    const left = known.map((one) => (suppressionKey(one) === person ? standIn : one));
    if (left.join() === known.join()) continue;
    await tx.run(
      'update deliveries set recipients = ?, reply = ?, passed_over = ? where account = ? and email_id = ? and part = ?',
      JSON.stringify(left),
      reply === null ? null : wordless,
      passed_over === null ? null : JSON.stringify(eraseIn(JSON.parse(passed_over), erase)),
      account,
      emailId,
      part,
    );
  }
}
