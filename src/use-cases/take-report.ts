/** A mail that came back is put to the delivery whose MAC it carries; what carries none changes nothing, and is kept for a person. */

import type { Clock } from '../core/clock.ts';
import { AppError } from '../core/error.ts';
import type { NoticeKind, Report } from '../core/notice.ts';
import type { Returned, ReturnPaths } from '../core/return-path.ts';
import type { Database, Reader, Transaction } from '../store/database.ts';
import { emailName } from '../store/mail/deliveries.ts';
import {
  findAccountOf,
  findByUpstream,
  holdNotices,
  type Noted,
  takeNotice,
  type UpstreamName,
} from '../store/mail/notices.ts';
import { keepStray, type StrayReason } from '../store/stray-notices.ts';

/** `recipient`: the address it came to, where whoever brings it knows. */
export type Arrived = { recipient: string | null; bytes: Uint8Array } & (
  | { by: 'pipe' | 'listener' | 'mailbox' }
  | { by: 'http'; upstream: UpstreamName | null; mayBeEarly: boolean }
);

export type TakenReport = { notices: { kind: NoticeKind; noted: Noted }[]; stray: StrayReason | null };

/** `report`: what its bytes say; null where they are no mail. @throws AppError `unavailable` where it may be too early to know. */
export type TakeReport = (report: Report | null, arrived: Arrived) => Promise<TakenReport>;

export type TakeReportOptions = {
  database: Database;
  clock: Pick<Clock, 'now'>;
  returnPaths: Pick<ReturnPaths, 'readAddress' | 'readEnvelopeId'>;
  /** Told after each commit: somebody may be to be told. */
  onTaken: (taken: TakenReport) => void;
};

export function createTakeReport({ database, clock, returnPaths, onTaken }: TakeReportOptions): TakeReport {
  return async (report, arrived) => {
    const about =
      report && (findReturned(returnPaths, report, arrived.recipient) ?? (await findNamed(database, arrived)));
    const account = about && (await findAccountOf(database, about.emailId));
    const taken =
      report && about && account !== null
        ? await takeAll({ database, clock }, { account, ...about }, report)
        : { notices: [], stray: 'not_ours' as const };
    if (taken.stray !== null && arrived.by === 'http') refuseEarly(arrived);
    if (taken.stray !== null) {
      const { subject = '', from: sender = '', to = [] } = report ?? {};
      const recipient = arrived.recipient ?? to[0] ?? null;
      const stray = { at: clock.now(), cameBy: arrived.by, why: taken.stray, recipient, sender, subject };
      await database.write((tx) => keepStray(tx, stray, arrived.bytes), { about: 'stray notices' });
    }
    onTaken(taken);
    return taken;
  };
}

/** By the id that the relay gave to its request. */
async function findNamed(reader: Reader, arrived: Arrived): Promise<Returned | null> {
  return arrived.by === 'http' && arrived.upstream ? findByUpstream(reader, arrived.upstream) : null;
}

/** A relay may tell of a mail before its answer to us is written down. */
function refuseEarly({ mayBeEarly }: { mayBeEarly: boolean }): void {
  if (mayBeEarly) throw new AppError('unavailable', 'No such mail is known yet: tell it again in a moment.');
}

/** The address it came to first: what stands within may have been quoted from elsewhere. */
function findReturned(
  { readAddress, readEnvelopeId }: TakeReportOptions['returnPaths'],
  { to, envelopeIds, returnPaths }: Report,
  recipient: string | null,
): Returned | null {
  const read: (() => Returned | null)[] = [
    ...[...(recipient === null ? [] : [recipient]), ...to].map((address) => () => readAddress(address)),
    ...envelopeIds.map((id) => () => readEnvelopeId(id)),
    ...returnPaths.map((address) => () => readAddress(address)),
  ];
  for (const one of read) {
    const found = one();
    if (found) return found;
  }
  return null;
}

async function takeAll(
  { database, clock }: Pick<TakeReportOptions, 'database' | 'clock'>,
  ref: Returned & { account: string },
  { notices }: Report,
): Promise<TakenReport> {
  if (notices.length === 0) return { notices: [], stray: 'unreadable' };
  const work = async (tx: Transaction) => {
    await holdNotices(tx, ref);
    const taken: TakenReport['notices'] = [];
    for (const notice of notices) {
      taken.push({ kind: notice.kind, noted: await takeNotice(tx, ref, notice, clock.now()) });
    }
    return taken;
  };
  const taken = await database.write(work, { about: emailName(ref) });
  return { notices: taken, stray: taken.every(({ noted }) => noted === 'nobody') ? 'nobody' : null };
}
