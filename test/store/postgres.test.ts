import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import pg from 'pg';
import { CommitUnknown, Contended } from '../../src/core/error.ts';
import type { Database } from '../../src/store/database.ts';
import { openPostgres, type PostgresOptions } from '../../src/store/engine/postgres/postgres.ts';
import { migrate } from '../../src/store/migrate.ts';
import { newMigratedPostgres } from '../support/engine.ts';
import { startPostgresProxy } from '../support/postgres-proxy.ts';
import { type PostgresServer, sharedPostgres, startPostgres } from '../support/postgres-server.ts';
import { describeStore } from './suite.ts';

describeStore('PostgreSQL', async () => {
  const server = await sharedPostgres();
  const database = await openPostgres({ url: await server.createDatabase() });
  return { database, remove: async () => {} };
});

/** A migrated database of its own, closed with the test; its first connection that writes has been admitted. */
async function open(t: TestContext, options: Partial<PostgresOptions> = {}): Promise<Database> {
  const url = options.url ?? (await newMigratedPostgres());
  const database = await openPostgres({ ...options, url });
  t.after(() => database.close());
  await migrate(database);
  await database.write(async () => null);
  return database;
}

const put = (database: Database, name: string, value = '') =>
  database.write((tx) => tx.run('insert into settings (name, value) values (?, ?)', name, value), { about: name });

async function names(database: Database): Promise<string[]> {
  const rows = await database.all<{ name: string }>('select name from settings order by name');
  return rows.map((row) => row.name);
}

async function administrator(server: PostgresServer): Promise<pg.Client> {
  const client = new pg.Client({ host: server.folder, user: 'postgres', database: 'postgres' });
  await client.connect();
  return client;
}

/** While the server runs. Resolves when `database` can see it. */
async function reconfigure(server: PostgresServer, database: Database, setting: string, value: string): Promise<void> {
  const client = await administrator(server);
  await client.query(`alter system set ${setting} = ${value}`);
  await client.query('select pg_reload_conf()');
  await client.end();
  for (;;) {
    const [seen] = await database.all<{ is: string }>(`select current_setting('${setting}') as is`);
    if (seen?.is === value) return;
  }
}

/** Resolves with how to let go of what `sql` locks, in another process' transaction. */
async function hold(database: Database, sql: string): Promise<() => void> {
  return new Promise((held) => {
    void database.write(async (tx) => {
      await tx.run(sql);
      await new Promise<void>((release) => held(release));
    });
  });
}

describe('a PostgreSQL server', () => {
  for (const [setting, reason] of [
    ['fsync', /fsync is off/],
    ['synchronous_commit', /synchronous_commit is off/],
  ] as const) {
    it(`with ${setting} off is refused`, async (t) => {
      const server = await startPostgres({ [setting]: 'off' });
      t.after(() => server.stop());
      await assert.rejects(openPostgres({ url: await server.createDatabase() }), reason);
    });
  }

  it('whose synchronous_commit is switched off while it runs still syncs what we commit', async (t) => {
    const server = await startPostgres();
    t.after(() => server.stop());
    const database = await open(t, { url: await server.createDatabase() });
    await reconfigure(server, database, 'synchronous_commit', 'off');
    const seen = await database.write(
      (tx) => tx.all<{ is: string }>("select current_setting('synchronous_commit') as is"),
      { about: 'it' },
    );
    assert.deepEqual(seen, [{ is: 'on' }]);
    // What more somebody asked for stays.
    await reconfigure(server, database, 'synchronous_commit', 'remote_apply');
    assert.deepEqual(
      await database.write((tx) => tx.all("select current_setting('synchronous_commit') as is"), { about: 'it' }),
      [{ is: 'remote_apply' }],
    );
  });

  it('whose fsync is switched off while it runs is written to no more, and again once it is on', async (t) => {
    const server = await startPostgres();
    t.after(() => server.stop());
    const database = await open(t, { url: await server.createDatabase() });
    await reconfigure(server, database, 'fsync', 'off');
    const giveUpAt = performance.now() + 30_000;
    let written = 0;
    await assert.rejects(async () => {
      while (performance.now() < giveUpAt) await put(database, `number ${written++}`);
    }, /nothing was accepted/);
    const direct = await administrator(server);
    await direct.query('alter system set fsync = on');
    await direct.query('select pg_reload_conf()');
    await direct.end();
    await assert.doesNotReject(async () => {
      for (let tries = 0; tries < 10; tries += 1) {
        const done = await put(database, 'after').then(
          () => true,
          () => false,
        );
        if (done) return;
      }
      throw new Error('it is not written to again');
    });
  });

  it('that is a replica is refused', async (t) => {
    const server = await startPostgres();
    t.after(() => server.stop());
    const url = await server.createDatabase();
    await server.kill();
    writeFileSync(join(server.folder, 'data', 'standby.signal'), '');
    await server.start();
    await assert.rejects(openPostgres({ url }), /it is a replica/);
  });

  it('without the database is refused at once, by name', async () => {
    const server = await sharedPostgres();
    const url = (await server.createDatabase()).replace(/test\d+/, 'nowhere');
    await assert.rejects(openPostgres({ url }), /database "nowhere" does not exist/);
  });

  it('whose database belongs to somebody else is refused with what to do, which helps', async (t) => {
    const url = await (await sharedPostgres()).createDatabase();
    const owner = await openPostgres({ url });
    t.after(() => owner.close());
    await owner.write((tx) => tx.run('create role guest login'));
    const guest = await openPostgres({ url: url.replace('postgres@', 'guest@') });
    t.after(() => guest.close());
    await assert.rejects(migrate(guest), /permission denied for schema public: .* alter database NAME owner to ROLE/);
    const [{ name } = { name: '' }] = await owner.all<{ name: string }>('select current_database() as name');
    await owner.write((tx) => tx.run(`alter database ${name} owner to guest`));
    assert.notDeepEqual(await migrate(guest), []);
  });

  it('is migrated once by ten processes that start at the same time', async () => {
    const url = await (await sharedPostgres()).createDatabase();
    const processes = await Promise.all(Array.from({ length: 10 }, () => openPostgres({ url })));
    const ran = await Promise.all(processes.map((database) => migrate(database)));
    assert.equal(ran.filter((migrations) => migrations.length > 0).length, 1);
    for (const database of processes) await database.close();
  });

  it('lends its clock to all its processes', async (t) => {
    const database = await open(t);
    const [row] = await database.all<{ now: number }>(
      'select (extract(epoch from clock_timestamp()) * 1000)::bigint as now',
    );
    assert.ok(Math.abs(database.wall() - (row?.now ?? 0)) < 1_000);
  });
});

describe('a group of writes on PostgreSQL', () => {
  it('loses only the work whose statement failed', async (t) => {
    const database = await open(t);
    await put(database, 'b');
    const settled = await Promise.allSettled(['a', 'b', 'c'].map((name) => put(database, name)));
    assert.deepEqual(
      settled.map((one) => one.status),
      ['fulfilled', 'rejected', 'fulfilled'],
    );
    assert.deepEqual(await names(database), ['a', 'b', 'c']);
  });

  it('loses only the work that threw, whatever that had written', async (t) => {
    const database = await open(t);
    const failing = database.write(
      async (tx) => {
        await tx.run("insert into settings (name, value) values ('undone', '')");
        throw new Error('on second thought');
      },
      { about: 'undone' },
    );
    const settled = await Promise.allSettled([put(database, 'a'), failing, put(database, 'z')]);
    assert.deepEqual(
      settled.map((one) => one.status),
      ['fulfilled', 'rejected', 'fulfilled'],
    );
    assert.deepEqual(await names(database), ['a', 'z']);
  });

  it('runs what is about the same thing one after the other', async (t) => {
    const database = await open(t);
    await put(database, 'counter', '0');
    const increment = () =>
      database.write(
        async (tx) => {
          const [row] = await tx.all<{ value: string }>("select value from settings where name = 'counter'");
          await tx.run("update settings set value = ? where name = 'counter'", String(Number(row?.value) + 1));
        },
        { about: 'counter' },
      );
    await Promise.all(Array.from({ length: 50 }, increment));
    const [row] = await database.all<{ value: string }>("select value from settings where name = 'counter'");
    assert.equal(row?.value, '50');
  });

  it('is never forgotten: whoever writes in the very moment another write is done is served', async (t) => {
    const database = await open(t);
    for (let times = 0; times < 300; times += 1) {
      const chain = put(database, `first ${times}`).then(() => put(database, `second ${times}`));
      await chain.then(() => put(database, `third ${times}`));
    }
    assert.equal((await names(database)).length, 900);
  });

  it('is not held up for long by a row that another process holds; only what needs it is refused', async (t) => {
    const url = await newMigratedPostgres();
    const [database, other] = [await open(t, { url }), await open(t, { url })];
    const release = await hold(other, "insert into settings (name, value) values ('held', '')");
    const started = performance.now();
    const [held, free] = await Promise.allSettled([put(database, 'held'), put(database, 'free')]);
    assert.equal(free.status, 'fulfilled');
    assert.ok(held.status === 'rejected' && held.reason instanceof Contended);
    assert.ok(performance.now() - started < 20_000);
    release();
  });

  it('survives deadlocks with another process: every work is done once', async (t) => {
    const url = await newMigratedPostgres();
    const [database, other] = [await open(t, { url }), await open(t, { url })];
    for (const name of ['a', 'b']) await put(database, name, '');
    const append = (on: Database, mark: string, order: string[]) =>
      on.write(async (tx) => {
        for (const name of order) await tx.run('update settings set value = value || ? where name = ?', mark, name);
      });
    const works = Array.from({ length: 5 }, () => [append(database, '1', ['a', 'b']), append(other, '2', ['b', 'a'])]);
    const settled = await Promise.allSettled(works.flat());
    const done = settled.filter((one) => one.status === 'fulfilled').length;
    const rows = await database.all<{ value: string }>('select value from settings');
    assert.deepEqual(
      rows.map(({ value }) => value.length),
      [done, done],
    );
    for (const one of settled) assert.ok(one.status === 'fulfilled' || one.reason instanceof Contended);
  });

  it('is run again where an administrator ended its session', async (t) => {
    const database = await open(t);
    let ended = false;
    await database.write(
      async (tx) => {
        await tx.run("insert into settings (name, value) values ('twice', '')");
        if (ended) return;
        ended = true;
        await tx.all('select pg_terminate_backend(pg_backend_pid())');
      },
      { about: 'twice' },
    );
    assert.deepEqual(await names(database), ['twice']);
  });

  it('whose BEGIN is refused is not run outside of a transaction', async (t) => {
    const proxy = await startPostgresProxy(await newMigratedPostgres());
    t.after(() => proxy.close());
    const database = await open(t, { url: proxy.url });
    proxy.spoilNextBegin();
    await assert.rejects(put(database, 'refused'), /syntax error/);
    assert.deepEqual(await names(database), []);
    await put(database, 'kept');
    assert.deepEqual(await names(database), ['kept']);
  });

  it('is refused with nothing written where the server stays away, and works again once it is back', async (t) => {
    const proxy = await startPostgresProxy(await newMigratedPostgres());
    t.after(() => proxy.close());
    const database = await open(t, { url: proxy.url });
    proxy.setDown(true);
    await assert.rejects(put(database, 'lost'), /nothing was accepted/);
    await assert.rejects(async () => database.all('select 1'), /does not work right now/);
    proxy.setDown(false);
    await put(database, 'kept');
    assert.deepEqual(await names(database), ['kept']);
  });
});

describe('a COMMIT whose answer is lost', () => {
  async function cut(t: TestContext, how: 'before' | 'after', options: Partial<PostgresOptions> = {}) {
    const url = await newMigratedPostgres();
    const proxy = await startPostgresProxy(url);
    t.after(() => proxy.close());
    const database = await open(t, { ...options, url: proxy.url });
    let runs = 0;
    const value = await database.write(
      async (tx) => {
        runs += 1;
        await tx.run('insert into settings (name, value) values (?, ?)', `run ${runs}`, '');
        // Only now: the COMMIT with which a new connection begins is not the one to lose.
        if (runs === 1) proxy.cutNext(how);
        return `run ${runs}`;
      },
      { about: 'one' },
    );
    assert.equal(proxy.cuts, 1);
    return { value, stored: await names(database) };
  }

  it('is found out to have happened, and nothing is done twice', async (t) => {
    assert.deepEqual(await cut(t, 'after'), { value: 'run 1', stored: ['run 1'] });
  });

  it('is found out not to have happened, and the work is done again', async (t) => {
    assert.deepEqual(await cut(t, 'before'), { value: 'run 2', stored: ['run 2'] });
  });

  it('would be done twice if a lost answer were taken for undone (control)', async (t) => {
    assert.deepEqual((await cut(t, 'after', { assumeLostCommits: 'undone' })).stored, ['run 1', 'run 2']);
  });

  it('would lose what was acknowledged if a lost answer were taken for committed (control)', async (t) => {
    assert.deepEqual(await cut(t, 'before', { assumeLostCommits: 'committed' }), { value: 'run 1', stored: [] });
  });

  it('is said to be unknown where the server does not come back', async (t) => {
    const proxy = await startPostgresProxy(await newMigratedPostgres());
    t.after(() => proxy.close());
    const database = await open(t, { url: proxy.url, findOutMs: 500 });
    const perhaps = database.write(
      async (tx) => {
        await tx.run("insert into settings (name, value) values ('perhaps', '')");
        proxy.cutNext('for good');
      },
      { about: 'perhaps' },
    );
    await assert.rejects(perhaps, CommitUnknown);
    proxy.setDown(false);
    assert.deepEqual(await names(database), ['perhaps']);
  });
});
