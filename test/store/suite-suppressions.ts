/** What every engine must do about suppressions: called by the suite. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Database } from '../../src/store/database.ts';
import {
  findSuppressed,
  findSuppression,
  listSuppressions,
  type Suppression,
  suppress,
  unsuppress,
} from '../../src/store/suppressions.ts';

const now = 1_800_000_000_000;

export function describeSuppressions(db: () => Database): void {
  const add = (account: string, address: string, change: Partial<Suppression> = {}) =>
    db().write((tx) =>
      suppress(tx, { account, address, origin: 'manual', sourceId: null, reply: null, createdAt: now, ...change }),
    );

  describe('suppressions', () => {
    it('hold for every spelling of an address, and say what was known first', async () => {
      const account = 'suppress-once';
      const first = await add(account, 'Ann@Example.com', { origin: 'bounce', sourceId: 'e', reply: '550 5.1.1 no' });
      const second = await add(account, 'ann@example.COM', { origin: 'complaint', createdAt: now + 1 });
      assert.deepEqual(second, first);
      assert.deepEqual(await findSuppression(db(), account, { address: 'ANN@example.com' }), first);
      assert.deepEqual(await findSuppression(db(), account, { id: first.id }), first);
    });

    it("are one account's own", async () => {
      const { id } = await add('suppress-mine', 'a@x.test');
      assert.equal((await findSuppressed(db(), 'suppress-other', ['a@x.test'])).size, 0);
      assert.equal(await findSuppression(db(), 'suppress-other', { id }), null);
      assert.equal(await db().write((tx) => unsuppress(tx, 'suppress-other', { id }, now)), null);
      assert.equal((await findSuppressed(db(), 'suppress-mine', ['a@x.test'])).size, 1);
    });

    it('are found among any number of addresses', async () => {
      const account = 'suppress-many';
      for (const address of ['first@x.test', 'm500@x.test', 'last@x.test']) await add(account, address);
      for (const count of [0, 1, 2, 17, 300, 2_500]) {
        const others = Array.from({ length: count }, (_, index) => `M${index}@x.test`);
        const found = await findSuppressed(db(), account, ['First@x.test', ...others, 'last@x.test', 'last@x.test']);
        const expected = ['first@x.test', 'last@x.test', ...(count > 500 ? ['m500@x.test'] : [])];
        assert.deepEqual([...found.keys()].sort(), expected);
      }
    });

    it('are gone once removed, and then are not there', async () => {
      const account = 'suppress-remove';
      const { id } = await add(account, 'a@x.test');
      assert.equal((await db().write((tx) => unsuppress(tx, account, { address: 'A@x.test' }, now)))?.id, id);
      assert.equal(await db().write((tx) => unsuppress(tx, account, { id }, now)), null);
      assert.equal((await findSuppressed(db(), account, ['a@x.test'])).size, 0);
    });

    it('are removed once, and told so once, however many remove them at once', async () => {
      const account = 'suppress-twice';
      const { id } = await add(account, 'a@x.test');
      const remove = () => db().write((tx) => unsuppress(tx, account, { address: 'a@x.test' }, now));
      const removed = await Promise.all(Array.from({ length: 4 }, remove));
      assert.deepEqual(
        removed.filter((one) => one !== null).map((one) => one.id),
        [id],
      );
      const facts = await db().all<{ type: string }>('select type from events where account = ? order by id', account);
      assert.deepEqual(
        facts.map(({ type }) => type),
        ['suppression_added', 'suppression_removed'],
      );
    });

    it('are listed newest first, in pages, by origin', async () => {
      const account = 'suppress-list';
      for (let index = 0; index < 5; index += 1) {
        await add(account, `${index}@x.test`, { origin: index % 2 ? 'bounce' : 'manual', createdAt: now + index });
      }
      const list = async (page: Partial<Parameters<typeof listSuppressions>[2]>) => {
        const { suppressions, hasMore } = await listSuppressions(db(), account, {
          limit: 2,
          after: null,
          before: null,
          origin: null,
          ...page,
        });
        return { addresses: suppressions.map((one) => one.address[0]).join(''), hasMore, suppressions };
      };
      const first = await list({});
      assert.deepEqual([first.addresses, first.hasMore], ['43', true]);
      const second = await list({ after: first.suppressions[1]?.id ?? '' });
      assert.deepEqual([second.addresses, second.hasMore], ['21', true]);
      const back = await list({ before: second.suppressions[1]?.id ?? '' });
      assert.deepEqual([back.addresses, back.hasMore], ['32', true]);
      const bounced = await list({ origin: 'bounce' });
      assert.deepEqual([bounced.addresses, bounced.hasMore], ['31', false]);
    });
  });
}
