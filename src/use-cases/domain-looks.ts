/** Looks at DNS for what domains should have there: when somebody asks, again until it is there, and once a day after that. */

import type { Clock } from '../core/clock.ts';
import { afterLook, type DnsRecord, type FindTexts, isSeen, type RecordStatus, recordsOf } from '../core/domain.ts';
import { tellDomain } from '../store/changes.ts';
import type { Database, Transaction } from '../store/database.ts';
import { claimLook, type Domain, type Look, listDueDomains, noteLook, type Seen, seeDomain } from '../store/domains.ts';

export type LookOptions = {
  database: Database;
  clock: Pick<Clock, 'now'>;
  findTexts: FindTexts;
  /** SPF mechanisms of the relays. */
  senders: () => readonly string[];
  onLooked?: (domain: string, status: Domain['status']) => void;
};

/** In one round; the next one comes a second later. */
const atOnce = 10;

/** Longer than DNS may take: another process takes it over after that. */
const claimMs = 60_000;

export async function lookAtDue(options: LookOptions): Promise<void> {
  const due = await listDueDomains(options.database, options.clock.now(), atOnce);
  await Promise.all(due.map((domain) => lookAt(options, domain)));
}

async function lookAt(options: LookOptions, domain: Domain): Promise<void> {
  const { database, clock } = options;
  const until = clock.now() + claimMs;
  if (!(await database.write((tx) => claimLook(tx, domain, until)))) return;
  const records = recordsOf(domain.name, domain.keys, options.senders());
  const seen: Seen = Object.fromEntries(
    await Promise.all(records.map(async (record) => [record.kind, await statusOf(options, record)])),
  );
  const now = clock.now();
  // What was there yesterday has as long to come back as what is new has to come.
  const askedAt = domain.status === 'verified' && !isFresh(domain) ? now : (domain.askedAt ?? now);
  const dkim = seen.dkim ?? 'pending';
  // DNS that does not answer says nothing against what was seen before.
  const isSilent = dkim === 'temporary_failure' && domain.status === 'verified';
  const next = isSilent ? { status: domain.status, checkAt: now + claimMs } : afterLook({ askedAt, now }, dkim);
  const shown = Object.fromEntries(Object.entries(seen).map(([kind, status]) => [kind, shownAs(status, next.status)]));
  const look = { ...next, seen: shown, askedAt, now };
  const isNoted = await database
    .write(
      async (tx) => (await noteLook(tx, domain, until, look)) && (await tellOf(tx, domain, look, options.senders())),
    )
    .catch(takenBy);
  if (isNoted) options.onLooked?.(domain.name, next.status);
}

/** A look that finds all as it was is nothing to be told of. */
async function tellOf(tx: Transaction, domain: Domain, { status, seen, now }: Look, senders: readonly string[]) {
  const isNews = status !== domain.status || JSON.stringify(seen) !== JSON.stringify(domain.seen);
  const found = { ...domain, status, seen };
  if (isNews) await tellDomain(tx, domain.account, 'domain_updated', now, () => seeDomain(found, senders));
  return true;
}

/** Somebody has asked since the last look. */
function isFresh({ askedAt, checkedAt }: Domain): boolean {
  return askedAt !== null && (checkedAt === null || askedAt > checkedAt);
}

async function statusOf({ findTexts }: LookOptions, record: DnsRecord): Promise<RecordStatus> {
  try {
    return isSeen(record, await findTexts(record.name)) ? 'verified' : 'pending';
  } catch {
    return 'temporary_failure';
  }
}

function shownAs(status: RecordStatus, domain: Domain['status']): RecordStatus {
  return status === 'pending' && domain === 'failed' ? 'failed' : status;
}

/** Another account has shown in the same moment that it is theirs: this one waits, and looks again when its claim is over. */
function takenBy(error: unknown): false {
  const { code = '' } = error as { code?: string };
  if (/^(SQLITE_CONSTRAINT|23505)/.test(code)) return false;
  throw error;
}
