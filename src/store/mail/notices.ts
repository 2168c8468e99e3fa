/** What a notice that came back changes: a recipient's end is told once, however often and in whatever words it comes. */

import type { DeliveryState } from '../../core/delivery-state.ts';
import type { Notice, NoticeKind } from '../../core/notice.ts';
import { ownWords } from '../../core/reply.ts';
import type { Returned } from '../../core/return-path.ts';
import { suppressionKey } from '../../core/suppression.ts';
import type { Reader, Transaction } from '../database.ts';
import { suppress } from '../suppressions.ts';
import { type DeliveryRef, insertDelivery, nextPart } from './deliveries.ts';
import { appendEvent, type EventDetail } from './events.ts';
import { move, moves } from './move.ts';

/**
 * `told`: it is news, and was written down. `known`: it had been told, or changes nothing any more. `nobody`: it names no recipient of
 * this delivery, or nothing of it has left.
 */
export type Noted = 'told' | 'known' | 'nobody';

type Row = {
  part: number;
  state: DeliveryState;
  recipients: string[];
  give_up_at: number;
  relay: string | null;
};

/** The recipient a notice is about, in the part it is in now. */
type Found = { row: Row; address: string };

/** Whose delivery this is; null where there is none. Accounts are few, and each is one look into an index. */
export async function findAccountOf(reader: Reader, emailId: string): Promise<string | null> {
  const [row] = await reader.all<{ account: string }>(
    'select emails.account from accounts join emails on emails.account = accounts.id and emails.id = ?',
    emailId,
  );
  return row?.account ?? null;
}

/** What a relay with an API of its own calls a request that it took. */
export type UpstreamName = { relay: string; id: string };

/** The delivery it took under this id; another relay's id says nothing. */
export async function findByUpstream(reader: Reader, { relay, id }: UpstreamName): Promise<Returned | null> {
  const sql = `select deliveries.email_id, deliveries.part from accounts
    join deliveries on deliveries.account = accounts.id and deliveries.upstream_id = ? and deliveries.relay = ?`;
  // Some write it as a Message-ID is written, and leave that out elsewhere.
  for (const spelled of new Set([id, id.replace(/^<|>$/g, ''), `<${id}>`])) {
    const [row] = await reader.all<{ email_id: string; part: number }>(sql, spelled, relay);
    if (row) return { emailId: row.email_id, part: row.part };
  }
  return null;
}

/** All that is written about an email's notices waits for each other: two at once could take recipients from one part. */
export async function holdNotices(tx: Transaction, { account, emailId }: DeliveryRef): Promise<void> {
  await tx.run('update emails set message_id = message_id where account = ? and id = ?', account, emailId);
}

/** After `holdNotices`. */
export async function takeNotice(tx: Transaction, ref: DeliveryRef, notice: Notice, now: number): Promise<Noted> {
  await showTaken(tx, ref, now);
  const found = await findRecipient(tx, ref, notice);
  if (!found || !hasLeft(found.row.state)) return 'nobody';
  if (notice.kind === 'passed_on') return 'known';
  if (!(await remember(tx, ref, found.address, notice.kind, now))) return 'known';
  return (await tell(tx, ref, found, notice, now)) ? 'told' : 'known';
}

/** Whatever a server writes about a mail, it has it: all that was in the envelope was taken by one dot. */
async function showTaken(tx: Transaction, ref: DeliveryRef, now: number): Promise<void> {
  await move(tx, 'shown', ref, { run_at: now, reply: wasTaken, now }, () => null);
}

const wasTaken = ownWords('What came back about it shows that the relay took it.');

function hasLeft(state: DeliveryState): boolean {
  return state === 'sent' || state === 'delivered' || state === 'bounced';
}

/** In lower case, as the ledger has them. */
async function findRecipient(tx: Transaction, ref: DeliveryRef, notice: Notice): Promise<Found | null> {
  const rows = await readParts(tx, ref);
  const named = rows.find(({ part }) => part === ref.part);
  if (!named) return null;
  const told = await toldOf(tx, ref);
  for (const candidate of notice.recipients.map(suppressionKey)) {
    const isIn = (row: Row) => row.recipients.some((one) => suppressionKey(one) === candidate);
    // Who was in it and has come to an end is in a part of its own since.
    const row = isIn(named) ? named : told.includes(candidate) ? rows.find(isIn) : undefined;
    const address = row?.recipients.find((one) => suppressionKey(one) === candidate);
    if (row && address !== undefined) return { row, address };
  }
  return notice.isWordy ? null : findOnly(named, told);
}

/** It went on under a name we do not know: where it was for one person alone, it can only be about that one. */
function findOnly(named: Row, told: readonly string[]): Found | null {
  const [address = '', ...others] = named.recipients;
  const isOnly = others.length === 0 && told.every((one) => one === suppressionKey(address));
  return isOnly ? { row: named, address } : null;
}

async function readParts(tx: Reader, { account, emailId }: DeliveryRef): Promise<Row[]> {
  const rows = await tx.all<Omit<Row, 'recipients'> & { recipients: string }>(
    'select part, state, recipients, give_up_at, relay from deliveries where account = ? and email_id = ? order by part',
    account,
    emailId,
  );
  return rows.map((row) => ({ ...row, recipients: JSON.parse(row.recipients) }));
}

/** Recipients whom notices about this part have named. */
async function toldOf(tx: Reader, { account, emailId, part }: DeliveryRef): Promise<string[]> {
  const rows = await tx.all<{ recipient: string }>(
    'select distinct recipient from notices where account = ? and email_id = ? and part = ?',
    account,
    emailId,
    part,
  );
  return rows.map(({ recipient }) => recipient);
}

/** False: this was told of this recipient before. */
async function remember(
  tx: Transaction,
  { account, emailId, part }: DeliveryRef,
  address: string,
  kind: NoticeKind,
  at: number,
): Promise<boolean> {
  const inserted = await tx.run(
    `insert into notices (account, email_id, recipient, kind, part, at) values (?, ?, ?, ?, ?, ?)
     on conflict (account, email_id, recipient, kind) do nothing`,
    account,
    emailId,
    suppressionKey(address),
    kind,
    part,
    at,
  );
  return inserted === 1;
}

/** False: it comes too late to change anything, as a success that comes after the bounce. */
async function tell(tx: Transaction, ref: DeliveryRef, found: Found, notice: Notice, now: number): Promise<boolean> {
  switch (notice.kind) {
    case 'delayed':
      if (found.row.state !== 'sent') return false;
      await append(tx, ref, 'delivery_delayed', found, notice, now);
      return true;
    case 'complained':
      await append(tx, ref, 'complained', found, notice, now);
      await suppressFor(tx, ref, found, notice, now);
      return true;
    case 'delivered':
      return found.row.state === 'sent' && end(tx, ref, 'delivered', found, notice, now);
    case 'bounced':
      return found.row.state !== 'bounced' && end(tx, ref, 'bounced', found, notice, now);
    case 'passed_on':
      return false;
    default:
      return notice.kind satisfies never;
  }
}

/** As a synchronous bounce would: a delivery is homogeneous, so that one of several recipients leaves it. */
async function end(
  tx: Transaction,
  ref: DeliveryRef,
  to: 'delivered' | 'bounced',
  { row, address }: Found,
  { reply }: Notice,
  now: number,
): Promise<boolean> {
  const was: EventDetail['was'] & string = row.state === 'delivered' ? 'delivered' : 'sent';
  const place = { ...ref, part: row.part };
  if (row.recipients.length === 1) {
    const detail = to === 'bounced' ? { was } : {};
    return moves(tx, `noticed_${to}`, place, { run_at: now, reply, now, detail });
  }
  const recipients = row.recipients.filter((one) => one !== address);
  if (!(await moves(tx, `parted_${was}`, place, { recipients, now }))) return false;
  const part = await nextPart(tx, ref);
  const { account, emailId } = ref;
  const tried = { relay: row.relay, passedOver: [] };
  const own = { account, emailId, part, state: to, recipients: [address], reply, tried };
  await insertDelivery(tx, { ...own, runAt: now, giveUpAt: row.give_up_at, policy: null });
  await append(tx, ref, to, { row, address }, { reply }, now, to === 'bounced' ? { was } : {});
  return true;
}

function append(
  tx: Transaction,
  { account, emailId }: DeliveryRef,
  type: 'delivery_delayed' | 'complained' | 'delivered' | 'bounced',
  { row, address }: Found,
  { reply }: Pick<Notice, 'reply'>,
  now: number,
  more: Pick<EventDetail, 'was'> = {},
): Promise<void> {
  const by = row.relay === null || type === 'complained' ? {} : { relay: row.relay };
  const detail: EventDetail = {
    recipients: [address],
    reply: reply.text,
    said: reply.said,
    by: 'notice',
    ...by,
    ...more,
  };
  return appendEvent(tx, account, emailId, type, now, detail);
}

async function suppressFor(
  tx: Transaction,
  { account, emailId }: DeliveryRef,
  { address }: Found,
  { reply }: Notice,
  now: number,
): Promise<void> {
  await suppress(tx, { account, address, origin: 'complaint', sourceId: emailId, reply: reply.text, createdAt: now });
}
