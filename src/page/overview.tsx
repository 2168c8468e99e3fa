/** What a person opens first: whether everything is all right, and how many duplicates were prevented. */

import { listEmails } from '../store/mail/emails.ts';
import { countOpenOf, findOldestDue, findRelaySigns, type Open } from '../store/page/overview.ts';
import { type Figures, findTotals, type Hour, hourMs, isCounted, listHours, noFigures } from '../store/page/rollups.ts';
import { indexedWithin } from '../use-cases/page-index.ts';
import { EmailRows } from './emails/email-rows.tsx';
import { Bars, type Bucket, Legend, type Series } from './frame/chart.tsx';
import { renderPage } from './frame/frame.tsx';
import { Count, Counted, Empty, PageHead, Pill, Time, type Tone } from './frame/pieces.tsx';
import type { Visit } from './frame/visit.ts';
import { isOverdue, RelayHealth } from './server/relay-health.tsx';
import { keepsMail, Troubles } from './server/troubles.tsx';

type Range = { name: string; hours: number; buckets: number };

const ranges: Record<string, Range> = {
  '24h': { name: '24 hours', hours: 24, buckets: 24 },
  '7d': { name: '7 days', hours: 168, buckets: 28 },
  '30d': { name: '30 days', hours: 720, buckets: 30 },
};

export async function overview(visit: Visit): Promise<Response> {
  const { database, clock, use } = visit.parts;
  const { account } = visit.session;
  // Counts of the last second, too; a full disk must not keep the rest from being read.
  await use.flushUses().catch(() => {});
  const chosen = ranges[visit.query.range ?? ''] ? (visit.query.range ?? '24h') : '24h';
  const range = ranges[chosen] as Range;
  const thisHour = Math.floor(clock.now() / hourMs);
  const hours = await listHours(database, account, thisHour - range.hours + 1);
  const figures = await findFigures(visit);
  const signs = await findRelaySigns(database, account);
  const oldestDue = await findOldestDue(database, account);
  const { emails } = await listEmails(database, account, { limit: 6, after: null, before: null });
  const isLate = isOverdue(oldestDue, clock.now());
  const gap = figures.isCurrent ? missing(figures) : 0;
  const situation = { signs, isLate, inDoubt: figures.open.inDoubt, gap };
  const isNew = figures.totals.accepted === 0 && emails.length === 0;
  return renderPage(visit, {
    title: 'Overview',
    at: '',
    isLive: true,
    content: (
      <>
        <PageHead title="Overview">
          <RangeLinks chosen={chosen} />
        </PageHead>
        <Troubles visit={visit} now={situation} />
        {isNew && <FirstSteps />}
        <Tiles figures={figures} />
        <div class="columns">
          <Prevented hours={hours} range={range} totals={figures.totals} now={thisHour} />
          <Outcomes hours={hours} range={range} now={thisHour} />
        </div>
        <div class="columns">
          <RelayHealth
            visit={visit}
            signs={signs}
            open={figures.open}
            oldestDue={oldestDue}
            isSaid={keepsMail(situation)}
          />
          <Conservation {...figures} />
        </div>
        {emails.length > 0 && (
          <section class="panel flush">
            <div class="row spread">
              <h2>Latest emails</h2>
              <a href="/dashboard/emails">All emails</a>
            </div>
            <EmailRows emails={emails} />
          </section>
        )}
      </>
    ),
  });
}

type Balance = { totals: Figures; open: Open; isCurrent: boolean; within: string };

/** Looked at again while they do not add up: a mail may have moved between two reads. */
async function findFigures({ parts: { database }, session: { account } }: Visit): Promise<Balance> {
  const within = indexedWithin[database.engine];
  for (let looks = 1; ; looks++) {
    const totals = await findTotals(database, account);
    const open = await countOpenOf(database, account);
    const isCurrent = await isCounted(database, account);
    if (looks === 3 || !isCurrent || missing({ totals, open }) === 0) return { totals, open, isCurrent, within };
  }
}

/** Recipients that are on one side of the formula only: always 0, or something is wrong with this program. */
function missing({ totals, open }: Pick<Balance, 'totals' | 'open'>): number {
  const { sent, bounced, suppressed, failed, canceled } = totals;
  const settled = sent + bounced + suppressed + failed + canceled;
  return totals.accepted - settled - open.queued - open.underWay - open.inDoubt;
}

function RangeLinks({ chosen }: { chosen: string }) {
  return (
    <nav aria-label="Time range">
      {Object.entries(ranges).map(([key, { name }]) => (
        <a href={`/dashboard?range=${key}`} {...(key === chosen ? { 'aria-current': 'true' as const } : {})}>
          {name}
        </a>
      ))}
    </nav>
  );
}

type Tile = [name: string, value: number, href: string, tone?: Tone | false];

function Tiles({ figures: { totals, open } }: { figures: Balance }) {
  const captured: Tile = ['Captured', totals.captured, '/dashboard/emails?q=is:captured', 'accent'];
  const tiles: Tile[] = [
    ['Accepted', totals.accepted, '/dashboard/emails'],
    ['Sent', totals.sent - totals.delivered, '/dashboard/emails?q=is:sent'],
    ['Delivered', totals.delivered - totals.captured, '/dashboard/emails?q=is:delivered'],
    ...(totals.captured > 0 ? [captured] : []),
    ['Bounced', totals.bounced, '/dashboard/emails?q=is:bounced', totals.bounced > 0 && 'bad'],
    ['Queued', open.queued + open.underWay, '/dashboard/emails?q=is:queued'],
    ['In doubt', open.inDoubt, '/dashboard/in-doubt', open.inDoubt > 0 && 'warning'],
  ];
  return (
    <section class="panel" aria-label="Recipients">
      <ul class="tiles">
        {tiles.map(([name, value, href, tone]) => (
          <li class={tone === 'warning' ? 'tone-warning' : ''}>
            <a href={href}>
              {name}
              <b class={tone ? `tone-${tone}` : ''}>
                <Count of={value} />
              </b>
            </a>
          </li>
        ))}
      </ul>
      <p class="muted small">
        These figures count recipients, not emails. Sent: the relay accepted the message. Delivered: the recipient’s
        server confirmed it, which few relays report, so it is usually low.
      </p>
    </section>
  );
}

const duplicates: Series[] = [
  { name: 'retries replayed', tone: 'accent' },
  { name: 'conflicting requests rejected', tone: 'bad' },
];

type Charted = { hours: Hour[]; range: Range; now: number };

function Prevented({ hours, range, totals, now }: Charted & { totals: Figures }) {
  const buckets = bucketsOf(hours, range, now, (one) => [one.replays, one.conflicts]);
  return (
    <section class="panel">
      <h2>Duplicates prevented</h2>
      <b class="figure">
        <Count of={totals.replays} />
      </b>
      {totals.replays + totals.conflicts === 0 ? (
        <p class="muted">
          Send a request twice with the same <code>Idempotency-Key</code>: the second gets the stored response and sends
          nothing. Such retries are counted here.
        </p>
      ) : (
        <p class="muted">
          <Counted of={totals.replays} one="retry" many="retries" /> replayed ·{' '}
          <Pill tone={totals.conflicts > 0 ? 'bad' : 'muted'}>
            <Counted of={totals.conflicts} one="conflicting request" /> rejected
          </Pill>{' '}
          <a href="/dashboard/idempotency">See each of them</a>
        </p>
      )}
      <Bars label={`Duplicates prevented in ${range.name}`} series={duplicates} buckets={buckets} height={80} />
      <Axis buckets={buckets} />
      <Legend series={duplicates} />
    </section>
  );
}

const outcomes: Series[] = [
  { name: 'sent, delivered or captured', tone: 'good' },
  { name: 'bounced or failed', tone: 'bad' },
  { name: 'suppressed or canceled', tone: 'muted' },
];

function Outcomes({ hours, range, now }: Charted) {
  const buckets = bucketsOf(hours, range, now, (one) => [
    // Less than none in an hour that only brought bounces of earlier mail.
    Math.max(0, one.sent),
    one.bounced + one.failed,
    one.suppressed + one.canceled,
  ]);
  return (
    <section class="panel">
      <h2>Recipients in {range.name}</h2>
      <Bars label={`Recipients in ${range.name}`} series={outcomes} buckets={buckets} height={160} />
      <Axis buckets={buckets} />
      <Legend series={outcomes} />
    </section>
  );
}

function Axis({ buckets }: { buckets: Bucket[] }) {
  const shown = [buckets[0], buckets[Math.floor(buckets.length / 2)]];
  return (
    <p class="row spread muted small">
      {shown.map((one) => one && <Time at={one.from} style="short" />)}
      <span>now</span>
    </p>
  );
}

function bucketsOf(hours: Hour[], range: Range, thisHour: number, values: (figures: Figures) => number[]): Bucket[] {
  const size = range.hours / range.buckets;
  const first = thisHour - range.hours + 1;
  return Array.from({ length: range.buckets }, (_, index) => {
    const start = first + index * size;
    const inside = hours.filter((one) => one.hour >= start && one.hour < start + size);
    const zero = values(noFigures);
    const sums = inside.map(values).reduce((total, more) => total.map((value, at) => value + (more[at] ?? 0)), zero);
    return { from: start * hourMs, values: sums };
  });
}

/** Accepted on one side, what became of them on the other (docs/architecture.md). */
function Conservation({ totals, open, isCurrent, within }: Balance) {
  const gap = missing({ totals, open });
  const parts: [name: string, value: number][] = [
    ['sent', totals.sent - totals.delivered],
    ['delivered', totals.delivered - totals.captured],
    ...(totals.captured > 0 ? [['captured', totals.captured] as [string, number]] : []),
    ['bounced', totals.bounced],
    ['suppressed', totals.suppressed],
    ['failed', totals.failed],
    ['canceled', totals.canceled],
    ['queued', open.queued + open.underWay],
    ['in doubt', open.inDoubt],
  ];
  return (
    <section class="panel">
      <h2>Where every recipient is</h2>
      <p class="row">
        <span>
          <b>
            <Count of={totals.accepted} />
          </b>{' '}
          accepted
        </span>
        <span class="muted">=</span>
        {parts.map(([name, value], index) => (
          <>
            {index > 0 && <span class="muted">+</span>}
            <span class={value === 0 ? 'muted' : ''}>
              <b>
                <Count of={value} />
              </b>{' '}
              {name}
            </span>
          </>
        ))}
      </p>
      {!isCurrent && (
        <p class="muted" data-settling>
          Still counting: the last {within} is not included yet.
        </p>
      )}
      {isCurrent && gap === 0 && (
        <p>
          <Pill tone="good">All accounted for ✓</Pill>
        </p>
      )}
      {isCurrent && gap !== 0 && (
        <p>
          <Pill tone="bad">
            <Counted of={Math.abs(gap)} one="recipient" /> {gap > 0 ? 'missing' : 'too many'}
          </Pill>
        </p>
      )}
    </section>
  );
}

function FirstSteps() {
  return (
    <Empty title="Nothing has been sent yet">
      <p>Point an SDK at this server, or send yourself a test email. It appears here automatically.</p>
      <p>
        <a class="button primary" href="/dashboard/setup">
          Set up
        </a>
      </p>
    </Empty>
  );
}
