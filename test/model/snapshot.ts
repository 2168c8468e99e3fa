/** What is compared after each step, of the model and of an engine in the same shape: a line for each row. */

import type { Database } from '../../src/store/database.ts';
import type { Model } from './model.ts';
import type { Detail } from './room.ts';

/** `state` has no order. `events` are the new ones, those of one email or address together, in their order. */
export type Snapshot = { state: string[]; events: string[] };

/** One question for all tables: over a network each one costs. */
const selects: [kind: string, columns: string[], from: string][] = [
  [
    'delivery',
    [
      ...['account', 'email_id', 'part', 'state', 'attempt', 'handoff_attempt', 'tries', 'failures', 'unanswered'],
      ...['possible_duplicate', 'run_at', 'give_up_at', 'gated_at', 'worker', 'recipients', 'recipient_count'],
      ...['in_doubt_policy', 'reply', 'case when content_hash is null then 0 else 1 end', 'wordless', 'alone'],
      ...['relay', 'waits_for'],
    ],
    'deliveries',
  ],
  [
    'email',
    ['account', 'id', 'scheduled_at', 'case when purged_at is null then 0 else 1 end', 'length(html)', 'summary'],
    'emails',
  ],
  [
    'key',
    ['account', 'scope', 'status', 'body', 'email_ids', 'created_at', 'expires_at', 'replays', 'conflicts'],
    'idempotency_keys',
  ],
  ['suppression', ['account', 'address', 'origin', 'source_id', 'reply', 'created_at'], 'suppressions'],
  ['worker', ['id', 'beat_at'], 'workers'],
  // Kept as things happen; the model counts its rows.
  [
    'count',
    ['account', 'name', 'items', 'recipients'],
    `(select account, name, cast(sum(items) as bigint) as items, cast(sum(recipients) as bigint) as recipients from counts
       group by account, name having sum(items) <> 0 or sum(recipients) <> 0) c`,
  ],
  [
    'webhook',
    ['account', 'id', 'url', 'enabled', 'case when deleted_at is null then 0 else 1 end', 'modified_at'],
    'webhooks',
  ],
  [
    'subscription',
    ['s.account', 's.subject', 'w.id', 's.enabled', 's.per_recipient'],
    'webhook_subscriptions s join webhooks w on w.number = s.webhook',
  ],
];

type EventRow = [id: number, account: string, emailId: string, type: string, at: number, detail: string];
type ToldRow = [event: number, webhook: string, position: number, state: string, runAt: number];

/** The events since, and what webhooks are told of them. */
function newSelects(after: string): typeof selects {
  return [
    ['event', ['id', 'account', 'email_id', 'type', 'at', 'detail'], `events where id > ${after}`],
    [
      'told',
      ['event', 'w.id', 'position', 'd.state', 'd.run_at'],
      `webhook_deliveries d join webhooks w on w.number = d.webhook where event > ${after}`,
    ],
  ];
}

/** Asks for all of it, and for the events after the one with this id. */
const statements = {
  sqlite: (after: number) => write('json_array', String(after)),
  postgres: (after: number) => `select kind, data from look(${after})`,
};

/** PostgreSQL plans a statement each time it is sent, which takes longer than to run this one; a function's it keeps. */
export const postgresLook = `create or replace function look(after bigint) returns table (kind text, data text)
  language plpgsql stable as $$ begin return query ${write('json_build_array', 'after')}; end $$`;

function write(array: string, after: string): string {
  return [...selects, ...newSelects(after)]
    .map(
      ([kind, columns, from]) =>
        `select '${kind}' as kind, cast(${array}(${columns.join(', ')}) as text) as data from ${from}`,
    )
    .join(' union all ');
}

type LookRow = { kind: string; data: string };

/** All rows, and the last event's id. */
export async function lookInto(database: Database, after: number): Promise<{ snapshot: Snapshot; last: number }> {
  const rows = await database.all<LookRow>(statements[database.engine](after));
  const valuesOf = (wanted: string) => rows.flatMap(({ kind, data }) => (kind === wanted ? [JSON.parse(data)] : []));
  const events: EventRow[] = valuesOf('event').sort(([a], [b]) => a - b);
  const state = toState(rows.filter(({ kind }) => kind !== 'event' && kind !== 'told'));
  return { snapshot: { state, events: eventsOf(events, valuesOf('told')) }, last: events.at(-1)?.[0] ?? after };
}

function toState(rows: LookRow[]): string[] {
  return rows
    .map(({ kind, data }) => {
      const values: unknown[] = JSON.parse(data);
      // Of the summary what changes; the rest never does.
      if (kind === 'email') values.push(JSON.parse(String(values.pop())).forgotten ?? null);
      return line(kind, values);
    })
    .sort();
}

function eventsOf(rows: EventRow[], told: ToldRow[]): string[] {
  const tellings = (id: number) =>
    told.flatMap(([event, ...telling]) => (event === id ? [tellingText(...telling)] : []));
  return grouped(
    rows.map(([id, account, email_id, type, at, detail]) => {
      const { suppression, ...rest } = JSON.parse(detail) as Detail & { suppression?: { address: string } };
      // A suppression is named by chance.
      return { account, about: suppression?.address ?? email_id, type, at, detail: rest, told: tellings(id) };
    }),
  );
}

export function lookAt(model: Model, eventsBefore: number): Snapshot {
  return { state: stateOf(model), events: eventsOfModel(model, eventsBefore) };
}

function stateOf(model: Model): string[] {
  return [
    ...model.deliveries.map((one) => {
      const { row, recipients } = one;
      return line('delivery', [
        ...[one.account, one.emailId, one.part, row.state, row.attempt, row.handoffAttempt, row.tries, row.failures],
        ...[row.unanswered, row.possibleDuplicate, one.runAt, one.giveUpAt, one.gatedAt, one.worker],
        ...[JSON.stringify(recipients), recipients.length, one.policy, one.reply, one.contentHash ? 1 : 0],
        ...[row.wordless, row.alone, one.relay, one.waitsFor],
      ]);
    }),
    ...model.emails.map((one) =>
      line('email', [
        ...[one.account, one.id, one.scheduledAt, one.isPurged ? 1 : 0],
        ...[one.isPurged ? null : (one.message.html?.length ?? null), one.forgotten],
      ]),
    ),
    ...[...model.keys.values()].map((one) =>
      line('key', [
        ...[one.account, one.scope, one.status, one.body, JSON.stringify(one.emailIds), one.createdAt, one.expiresAt],
        ...[one.replays, one.conflicts],
      ]),
    ),
    ...model.suppressions.map((one) =>
      line('suppression', [one.account, one.address, one.origin, one.sourceId, one.reply, one.createdAt]),
    ),
    ...[...model.workers].map((one) => line('worker', one)),
    ...countsOf(model),
    ...model.webhooks.map((one) =>
      line('webhook', [one.account, one.id, one.url, one.enabled ? 1 : 0, one.isDeleted ? 1 : 0, one.modifiedAt]),
    ),
    ...model.webhooks.flatMap((one) =>
      (one.isDeleted ? [] : one.subjects).map((subject) =>
        line('subscription', [one.account, subject, one.id, one.enabled ? 1 : 0, one.perRecipient ? 1 : 0]),
      ),
    ),
  ].sort();
}

function countsOf({ deliveries, events }: Model): string[] {
  const counts = new Map<string, [items: number, recipients: number]>();
  const add = (account: string, name: string, recipients: number) => {
    const [items, total] = counts.get(JSON.stringify([account, name])) ?? [0, 0];
    counts.set(JSON.stringify([account, name]), [items + 1, total + recipients]);
  };
  for (const { account, row, recipients } of deliveries) {
    if (row.state === 'queued' || row.state === 'in_doubt') add(account, row.state, recipients.length);
  }
  for (const one of events.flatMap(({ told }) => told)) if (one.state === 'pending') add('', 'untold', 0);
  return [...counts].map(([key, count]) => line('count', [...JSON.parse(key), ...count]));
}

function eventsOfModel({ events }: Model, before: number): string[] {
  return grouped(
    events.slice(before).map((one) => ({
      ...one,
      told: one.told.map(({ webhook, position, state, runAt }) => tellingText(webhook, position, state, runAt)),
    })),
  );
}

type Told = { account: string; about: string; type: string; at: number; detail: Detail; told: string[] };

function grouped(events: Told[]): string[] {
  return events
    .sort((a, b) => (a.about < b.about ? -1 : a.about > b.about ? 1 : 0))
    .map(({ account, about, type, at, detail, told }) => {
      const { recipients, reply, attempt, relay, in_doubt, by, scheduled_at, origin, said, replies, each, was } =
        detail;
      // The parts of one email are moved at once, in no order.
      const sorted = recipients && [...recipients].sort();
      const rest = {
        recipients: sorted,
        reply,
        said,
        replies,
        each,
        attempt,
        relay,
        in_doubt,
        by,
        scheduled_at,
        origin,
        was,
      };
      return line('event', [account, about, type, at, rest, [...told].sort()]);
    });
}

function tellingText(webhook: string, position: number, state: string, runAt: number): string {
  return `${webhook} ${position} ${state} ${runAt}`;
}

function line(kind: string, values: unknown[]): string {
  return `${kind} ${JSON.stringify(values)}`;
}
