/** Each edge of the delivery's state machine races each other one that could be taken as well: generated from the table. */

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { type EdgeName, edges } from '../../src/core/delivery.ts';
import type { Edge } from '../../src/core/delivery-state.ts';
import type { EventType } from '../../src/core/event.ts';
import { ownWords } from '../../src/core/reply.ts';
import type { Database, Transaction } from '../../src/store/database.ts';
import { insertDelivery } from '../../src/store/mail/deliveries.ts';
import { listEvents } from '../../src/store/mail/events.ts';
import { move } from '../../src/store/mail/move.ts';
import { migrate } from '../../src/store/migrate.ts';
import { bendDatabase, bendEdge } from '../support/bent-database.ts';
import { type DeliveryRow, edgeNames, fenceOf, take } from '../support/delivery-row.ts';
import { newMigratedPostgres, openDatabase } from '../support/engine.ts';
import { createTemp } from '../support/temp.ts';

const now = 1_800_000_000_000;
const account = 'edges';

const fresh = {
  handoffAttempt: null,
  tries: 0,
  failures: 0,
  unanswered: 0,
  possibleDuplicate: 0,
  wordless: 0,
  alone: 0,
};
const sentAgain = { ...fresh, handoffAttempt: 3, tries: 1, unanswered: 1, possibleDuplicate: 1, wordless: 2, alone: 1 };

/** Each state an edge leaves; `queued` and `sending` also after a hand-off that has no verdict. */
const rows: DeliveryRow[] = [
  { state: 'queued', attempt: 2, ...fresh },
  { state: 'queued', attempt: 5, ...sentAgain },
  { state: 'sending', attempt: 3, ...fresh },
  { state: 'sending', attempt: 6, ...sentAgain },
  { state: 'handoff', attempt: 4, ...fresh, handoffAttempt: 4, unanswered: 1 },
  { state: 'in_doubt', attempt: 5, ...fresh, handoffAttempt: 4, unanswered: 1 },
  { state: 'sent', attempt: 5, ...fresh, handoffAttempt: 4, tries: 1 },
  { state: 'delivered', attempt: 6, ...fresh, handoffAttempt: 4, tries: 1 },
];

/** `first`: what somebody else does, one or more edges, before the second one who knows the row as it was. */
type Race = { row: DeliveryRow; first: EdgeName[]; second: EdgeName };

const possibleOf = (row: DeliveryRow) => edgeNames.filter((name) => take(edges[name], row, row) !== null);

const races: Race[] = rows.flatMap((row) =>
  possibleOf(row).flatMap((first) => possibleOf(row).map((second) => ({ row, first: [first], second }))),
);

/** The shortest life the row has had meanwhile in which a late second one is stopped by its fence alone. */
function raceThatNeedsFence(second: EdgeName): Race | undefined {
  const unfenced: Edge = { ...edges[second], fence: 'state' };
  let lives: Race[] = rows.filter((row) => possibleOf(row).includes(second)).map((row) => ({ row, first: [], second }));
  while (lives.length > 0 && (lives[0]?.first.length ?? 0) < lifeMax) {
    lives = lives.flatMap((life) => possibleOf(judge(life, nowhere).row).map((next) => lived(life, next)));
    const found = lives.find((race) => !judge(race).isMoved && judge(race, unfenced).isMoved);
    if (found) return found;
  }
  return undefined;
}

/** Put off, claimed, handed off again: as long as it takes to come back to where it was. */
const lifeMax = 3;
const nowhere: Edge = { from: [], to: 'failed', fence: 'state', sets: [] };

function lived({ row, first, second }: Race, next: EdgeName): Race {
  return { row, first: [...first, next], second };
}

/** What has to stand once both have tried. */
function judge({ row, first, second }: Race, how: Edge = edges[second]) {
  const events: EventType[] = [];
  let now = row;
  for (const name of first) {
    const won = take(edges[name], now, now);
    assert(won);
    now = won.row;
    events.push(...won.events);
  }
  const later = take(how, now, row);
  return { row: later?.row ?? now, events: [...events, ...(later?.events ?? [])], isMoved: later !== null };
}

let mails = 0;

async function insert(database: Database, row: DeliveryRow): Promise<string> {
  const emailId = `mail ${mails++}`;
  await database.write(async (tx) => {
    const delivery = {
      account,
      emailId,
      part: 0,
      recipients: ['a@example.com'],
      runAt: now,
      giveUpAt: now,
      policy: null,
    };
    await insertDelivery(tx, { ...delivery, state: 'queued', tries: row.tries });
    await tx.run(
      `update deliveries set state = ?, attempt = ?, handoff_attempt = ?, failures = ?, unanswered = ?, possible_duplicate = ?,
         wordless = ?, alone = ?
       where account = ? and email_id = ?`,
      row.state,
      row.attempt,
      row.handoffAttempt,
      row.failures,
      row.unanswered,
      row.possibleDuplicate,
      row.wordless,
      row.alone,
      account,
      emailId,
    );
  });
  return emailId;
}

/** All that any edge wants to be told. */
function attempt(tx: Transaction, name: EdgeName, emailId: string, known: DeliveryRow) {
  const fence = fenceOf(edges[name], known);
  const values = {
    run_at: now,
    reply: ownWords('words'),
    recipients: ['a@example.com'],
    worker: 'worker',
    gated_at: now,
    content_hash: new Uint8Array(32),
    give_up_at: now,
    held_until: now,
    held_again: now,
    tried: { relay: 'one', passedOver: [{ relay: 'other', reason: 'words' }] },
    waits_for: 'other',
    repeat_until: now,
    upstream_id: null,
  };
  return move(tx, name, { account, emailId, part: 0 }, { ...values, fence, now } as never, () => null);
}

/** One edge after the other, by who knows each row. */
async function takeAll(tx: Transaction, names: EdgeName[], emailId: string, row: DeliveryRow): Promise<void> {
  let known = row;
  for (const name of names) {
    assert.notEqual(await attempt(tx, name, emailId, known), null, name);
    known = take(edges[name], known, known)?.row ?? known;
  }
}

type Stored = { row: DeliveryRow; events: EventType[] };

async function read(database: Database, emailId: string): Promise<Stored> {
  const [row] = await database.all<DeliveryRow>(
    `select state, attempt, handoff_attempt as "handoffAttempt", tries, failures, unanswered,
       possible_duplicate as "possibleDuplicate", wordless, alone from deliveries where account = ? and email_id = ?`,
    account,
    emailId,
  );
  assert(row);
  return { row: { ...row }, events: (await listEvents(database, account, emailId)).map(({ type }) => type) };
}

/** Both engines: how the second one is made to come while the first one is not done. */
type Track = {
  database: Database;
  race(emailId: string, race: Race, second: Database): Promise<boolean>;
  /** Where the second one moves, which a control bends. */
  other: Database;
};

async function run(track: Track, one: Race, second = track.other): Promise<Stored & { isMoved: boolean }> {
  const emailId = await insert(track.database, one.row);
  const isMoved = await track.race(emailId, one, second);
  return { ...(await read(track.database, emailId)), isMoved };
}

/** The second one's fence was read before the first one committed, and both are in one group. */
function interleaved(database: Database): Track {
  return {
    database,
    other: database,
    async race(emailId, { row, first, second }, other) {
      const winner = database.write((tx) => takeAll(tx, first, emailId, row));
      const loser = other.write((tx) => attempt(tx, second, emailId, row));
      await winner;
      return (await loser) !== null;
    },
  };
}

/** Another process holds its update uncommitted; the second one waits for the row, and goes on once that has committed. */
function sideBySide(database: Database, other: Database): Track {
  return {
    database,
    other,
    async race(emailId, { row, first, second }, bent) {
      let commit = () => {};
      let winner: Promise<unknown> = Promise.resolve();
      await new Promise<void>((reached) => {
        winner = database.write(async (tx) => {
          await takeAll(tx, first, emailId, row);
          await new Promise<void>((goOn) => {
            commit = goOn;
            reached();
          });
        });
      });
      const loser = bent.write((tx) => attempt(tx, second, emailId, row));
      await waitsForLock(database);
      commit();
      await winner;
      return (await loser) !== null;
    },
  };
}

async function waitsForLock(database: Database): Promise<void> {
  for (;;) {
    const waiting = await database.all(
      "select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'",
    );
    if (waiting.length > 0) return;
  }
}

function describeRaces(engine: string, open: () => Promise<{ track: Track; close: () => Promise<void> }>): void {
  describe(`on ${engine}, two edges at once`, () => {
    let track: Track;
    let close: () => Promise<void>;

    before(async () => {
      ({ track, close } = await open());
      await migrate(track.database);
    });
    after(() => close());

    for (const { row } of races.filter((one, index) => races[index - 1]?.row !== one.row)) {
      const some = races.filter((one) => one.row === row);
      it(`of ${row.state}${row.possibleDuplicate ? ', sent again' : ''}: the first one stands, the other is told the truth (${some.length} pairs)`, async () => {
        for (const one of some) assert.deepEqual(await run(track, one), judge(one), `${one.first}, then ${one.second}`);
      });
    }

    it('are told apart by each fence: a late one changes nothing, and would without it', async () => {
      for (const name of edgeNames) {
        if (edges[name].fence === 'state') continue;
        const one = raceThatNeedsFence(name);
        assert(one, `some race needs the fence of ${name}`);
        assert.deepEqual(await run(track, one), judge(one), `${one.first}, then ${name}`);
        const bent = bendDatabase(track.other, [bendEdge(name, { fence: 'state' })]);
        assert.equal((await run(track, one, bent)).isMoved, true, `${one.first}, then ${name} without its fence`);
      }
    });

    it('are told apart by the state they leave: without it some pair comes out wrong', async () => {
      for (const name of edgeNames.filter((one) => edges[one].fence === 'state')) {
        const anywhere = [...new Set(edgeNames.map((one) => edges[one].to))];
        const one = races.find((race) => race.second === name && !judge(race).isMoved);
        assert(one, `some pair needs the state of ${name}`);
        const bent = bendDatabase(track.other, [bendEdge(name, { from: anywhere, unless: undefined })]);
        assert.equal((await run(track, one, bent)).isMoved, true, `${one.first}, then ${name} from any state`);
      }
    });
  });
}

describeRaces('SQLite', async () => {
  const temp = createTemp();
  const database = await openDatabase(`sqlite:${temp.path('edges.db')}`);
  return {
    track: interleaved(database),
    async close() {
      await database.close();
      temp.remove();
    },
  };
});

describeRaces('PostgreSQL', async () => {
  const url = await newMigratedPostgres();
  const [database, other] = [await openDatabase(url), await openDatabase(url)];
  return {
    track: sideBySide(database, other),
    async close() {
      await database.close();
      await other.close();
    },
  };
});
