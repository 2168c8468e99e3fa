/** What every engine's writes promise: alone or in a group, whole or not at all. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { addToCount, findCount } from '../../src/store/counts.ts';
import { type Database, type Transaction, TransactionEnded } from '../../src/store/database.ts';
import { migrate } from '../../src/store/migrate.ts';

export function describeWrites(db: () => Database): void {
  describe('the write queue', () => {
    it('undoes only the work that threw, and commits the others of its group', async () => {
      const settled = await Promise.allSettled(
        ['a', 'b', 'c'].map((name) =>
          db().write(async (tx) => {
            await tx.run('insert into settings (name, value) values (?, ?)', `group-${name}`, name);
            if (name === 'b') throw new Error('b does not want to');
          }),
        ),
      );
      assert.deepEqual(
        settled.map((one) => one.status),
        ['fulfilled', 'rejected', 'fulfilled'],
      );
      const rows = await db().all<{ name: string }>(
        "select name from settings where name like 'group-%' order by name",
      );
      assert.deepEqual(
        rows.map((row) => row.name),
        ['group-a', 'group-c'],
      );
    });

    it('adds up what the works of a group add to one row, but for the work that threw', async () => {
      const add = (name: string, items: number) =>
        db().write(async (tx) => {
          addToCount(tx, 'summed', 'queued', { items, recipients: 2 * items });
          await tx.run('insert into settings (name, value) values (?, ?)', `summed-${name}`, '');
          if (name === 'b') throw new Error('b does not want to');
        });
      const added = await Promise.allSettled([add('a', 1), add('b', 10), add('c', 100)]);
      assert.deepEqual(
        added.map((one) => one.status),
        ['fulfilled', 'rejected', 'fulfilled'],
      );
      assert.equal(await findCount(db(), 'summed', 'queued'), 101);
      await Promise.all([add('d', 1_000), add('e', -101)]);
      assert.equal(await findCount(db(), 'summed', 'queued'), 1_000);
      await add('f', -1_000);
    });

    it('shows a reader nothing before it is committed', async () => {
      await db().write(async (tx) => {
        await tx.run("insert into settings (name, value) values ('unseen', '1')");
        assert.deepEqual(await db().all("select * from settings where name = 'unseen'"), []);
      });
      assert.equal((await db().all("select * from settings where name = 'unseen'")).length, 1);
    });

    it('answers a report from committed rows, and passes its errors on', async () => {
      const rows = await db().report<{ one: number }>('select 1 as one where 2 > ?', 1);
      assert.deepEqual(rows, [{ one: 1 }]);
      await assert.rejects(db().report('select * from no_such_table'));
    });

    it('does not migrate twice', async () => {
      assert.deepEqual(await migrate(db()), []);
    });

    it('refuses a schema newer than the program', async () => {
      await db().write((tx) => tx.run("insert into migrations (version, name) values (9999, 'future')"));
      await assert.rejects(migrate(db()), /newer program/);
      await db().write((tx) => tx.run('delete from migrations where version = 9999'));
    });
  });

  describeUndoing(db);
}

const insert = "insert into settings (name, value) values (?, '')";

/** What a work may have written with when it throws. */
const writings: Record<string, (tx: Transaction, name: string, engine: Database['engine']) => unknown> = {
  '`run`': (tx, name) => tx.run(insert, name),
  '`all`': (tx, name) => tx.all(`${insert} returning name`, name),
  '`all`, then `run`': async (tx, name) => {
    await tx.all(`${insert} returning name`, name);
    await tx.run(insert, `${name}, too`);
  },
  '`run`, then `all`': async (tx, name) => {
    await tx.run(insert, name);
    await tx.all(`${insert} returning name`, `${name}, too`);
  },
  'a statement that begins as a select': (tx, name, engine) =>
    tx.all(
      engine === 'postgres'
        ? `with written as (${insert} returning name) select name from written`
        : "with named (name) as (select ?) insert into settings (name, value) select name, '' from named returning name",
      name,
    ),
  'a statement that changes another row': (tx, name) =>
    tx.all("update settings set value = value || ? where name = 'changed' returning name", name),
};

function describeUndoing(db: () => Database): void {
  let times = 0;
  const names = async (start: string) => {
    const rows = await db().all<{ name: string }>(
      'select name from settings where name like ? order by name',
      `${start}%`,
    );
    return rows.map((row) => row.name);
  };
  const changed = async () =>
    (await db().all<{ value: string }>("select value from settings where name = 'changed'"))[0]?.value;

  /** Which of three works of one group left something; `throws` writes as it is told, and throws. */
  async function runThree(write: Database['write'], throws: (tx: Transaction, name: string) => unknown) {
    times += 1;
    const start = `undone ${times} `;
    const keeps = (name: string) => async (tx: Transaction) => {
      await tx.run(insert, `${start}${name}, run`);
      await tx.all(`${insert} returning name`, `${start}${name}, all`);
    };
    const doomed = async (tx: Transaction) => {
      await throws(tx, `${start}doomed`);
      throw new Error('on second thought');
    };
    const works = [keeps('a'), doomed, keeps('z')];
    const settled = await Promise.allSettled(works.map((work, index) => write(work, { about: `${start}${index}` })));
    const left = (await names(start)).map((name) => name.slice(start.length));
    return { statuses: settled.map(({ status }) => status), left };
  }

  const others = ['a, all', 'a, run', 'z, all', 'z, run'];
  const write: Database['write'] = (work, terms) => db().write(work, terms);

  describe('a work that throws', () => {
    for (const [how, writes] of Object.entries(writings)) {
      it(`after it wrote with ${how} is undone, alone`, async () => {
        await db().write((tx) =>
          tx.run("insert into settings (name, value) values ('changed', '') on conflict do nothing"),
        );
        const before = await changed();
        for (const terms of [{}, { about: 'alone' }]) {
          const thrown = db().write(async (tx) => {
            await writes(tx, `alone, ${how}`, db().engine);
            throw new Error('on second thought');
          }, terms);
          await assert.rejects(thrown, { message: 'on second thought' });
          assert.deepEqual([await names(`alone, ${how}`), await changed()], [[], before]);
        }
      });

      it(`after it wrote with ${how} is undone, and the others of its group are not`, async () => {
        const before = await changed();
        const { statuses, left } = await runThree(write, (tx, name) => writes(tx, name, db().engine));
        assert.deepEqual(statuses, ['fulfilled', 'rejected', 'fulfilled']);
        assert.deepEqual([left, await changed()], [others, before]);
      });
    }

    it('would be seen by these tests if what it wrote stayed (control)', async () => {
      const forgives: Database['write'] = async (work, terms) => {
        const told: { error?: unknown } = {};
        const value = await db().write(async (tx) => {
          try {
            return await work(tx);
          } catch (error) {
            told.error = error;
            return null as never;
          }
        }, terms);
        if ('error' in told) throw told.error;
        return value;
      };
      const { left } = await runThree(forgives, (tx, name) => tx.all(`${insert} returning name`, name));
      assert.deepEqual(left, [...others.slice(0, 2), 'doomed', ...others.slice(2)]);
    });

    it('is refused whatever it left running and asks for afterwards', async () => {
      let late: Promise<unknown> = Promise.resolve();
      const thrown = db().write(async (tx) => {
        late = (async () => {
          await tx.run(insert, 'late, 1');
          await new Promise((resolve) => setImmediate(resolve));
          await tx.all(`${insert} returning name`, 'late, 2');
        })();
        late.catch(() => {});
        throw new Error('on second thought');
      });
      await assert.rejects(thrown, { message: 'on second thought' });
      await assert.rejects(late, TransactionEnded);
      assert.deepEqual(await names('late'), []);
    });
  });
}
