/** What every engine must do about templates: called by the suite. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ensureAccount } from '../../src/store/accounts.ts';
import type { Database } from '../../src/store/database.ts';
import {
  deleteTemplate,
  ensureSampleTemplates,
  findTemplate,
  insertTemplate,
  listTemplates,
  markTestSent,
  measureTemplates,
  type TemplateContent,
  updateTemplate,
} from '../../src/store/templates.ts';

const now = 1_800_000_000_000;

const content: TemplateContent & { isActive: boolean } = {
  name: 'Order',
  sender: { name: 'Ann', email: 'ann@example.com' },
  subject: 'Order {{ params.n }}',
  html: '<p>\0 {{ params.n }}</p>',
  replyTo: 'help@example.com',
  toField: '',
  tag: 'order',
  attachmentUrl: null,
  isActive: false,
};

export function describeTemplates(db: () => Database): void {
  const account = async (name: string) => {
    await db().write((tx) => ensureAccount(tx, name, now));
    return name;
  };
  const insert = (name: string, change: Partial<typeof content> = {}) =>
    db().write((tx) => insertTemplate(tx, name, { ...content, ...change }, now));
  const page = { isActive: null, limit: 50, offset: 0, order: 'desc' } as const;

  describe('templates', () => {
    it('are numbered for each account from its sample on, and kept as they were written', async () => {
      const [one, other] = [await account('templates-a'), await account('templates-b')];
      assert.deepEqual([await insert(one), await insert(other), await insert(one)], [2, 2, 3]);
      const { isActive, ...written } = content;
      assert.deepEqual(await findTemplate(db(), one, 3), {
        ...written,
        account: one,
        id: 3,
        isActive,
        testSent: false,
        createdAt: now,
        modifiedAt: now,
      });
      assert.match((await findTemplate(db(), one, 1))?.html ?? '', /sample template/);
    });

    it('get different numbers when they are created at once', async () => {
      const one = await account('templates-race');
      const ids = await Promise.all(Array.from({ length: 20 }, () => insert(one)));
      assert.equal(new Set(ids).size, 20);
    });

    it('are changed member by member, even by two at once', async () => {
      const one = await account('templates-change');
      const id = await insert(one);
      const change = (members: Partial<typeof content>) =>
        db().write((tx) => updateTemplate(tx, one, id, members, now + 5));
      assert.deepEqual(await Promise.all([change({ subject: 'New' }), change({ isActive: true, tag: 'x' })]), [
        true,
        true,
      ]);
      const found = await findTemplate(db(), one, id);
      assert.deepEqual(
        [found?.subject, found?.isActive, found?.tag, found?.html, found?.createdAt, found?.modifiedAt],
        ['New', true, 'x', content.html, now, now + 5],
      );
    });

    it('are deleted when inactive, and their number is not given again', async () => {
      const one = await account('templates-delete');
      const id = await insert(one, { isActive: true });
      const remove = () => db().write((tx) => deleteTemplate(tx, one, id));
      assert.equal(await remove(), 'active');
      await db().write((tx) => updateTemplate(tx, one, id, { isActive: false }, now));
      assert.equal(await remove(), 'deleted');
      assert.equal(await remove(), 'missing');
      assert.equal(await findTemplate(db(), one, id), null);
      assert.equal(await insert(one), id + 1);
    });

    it('are listed in pages, in either order, by whether they are active', async () => {
      const one = await account('templates-list');
      for (const isActive of [true, false, true]) await insert(one, { isActive });
      const ids = async (change: object) => {
        const templates = await listTemplates(db(), one, { ...page, ...change });
        const { count, characters } = await measureTemplates(db(), one, { ...page, ...change });
        // Each is longer than its html, and what is not in the page is not counted.
        const expected = templates.reduce((sum, { html }) => sum + html.length, 0);
        assert.ok(characters >= expected && characters <= expected + templates.length * 1_000);
        return [templates.map(({ id }) => id), count];
      };
      assert.deepEqual(await ids({}), [[4, 3, 2, 1], 4]);
      assert.deepEqual(await ids({ order: 'asc', limit: 2, offset: 1 }), [[2, 3], 4]);
      assert.deepEqual(await ids({ isActive: false }), [[3], 1]);
      assert.deepEqual(await ids({ isActive: true, limit: 0 }), [[], 3]);
    });

    it("are one account's own", async () => {
      const [mine, other] = [await account('templates-mine'), await account('templates-other')];
      const id = await insert(mine);
      assert.equal(await findTemplate(db(), other, id), null);
      assert.equal(await db().write((tx) => updateTemplate(tx, other, id, { subject: 'theirs' }, now)), false);
      assert.equal(await db().write((tx) => deleteTemplate(tx, other, id)), 'missing');
      await db().write((tx) => markTestSent(tx, other, id));
      const found = await findTemplate(db(), mine, id);
      assert.deepEqual([found?.subject, found?.testSent], [content.subject, false]);
      await db().write((tx) => markTestSent(tx, mine, id));
      assert.equal((await findTemplate(db(), mine, id))?.testSent, true);
    });

    it('have a sample as number 1 in every account, older ones included, until it is deleted', async () => {
      await db().write((tx) => tx.run("insert into accounts (id, created_at) values ('templates-old', 1)"));
      assert.equal(await findTemplate(db(), 'templates-old', 1), null);
      await db().write((tx) => ensureSampleTemplates(tx, now));
      assert.equal((await findTemplate(db(), 'templates-old', 1))?.isActive, true);
      await db().write(async (tx) => {
        await updateTemplate(tx, 'templates-old', 1, { isActive: false }, now);
        await deleteTemplate(tx, 'templates-old', 1);
        await ensureSampleTemplates(tx, now);
        await ensureAccount(tx, 'templates-old', now);
      });
      assert.equal(await findTemplate(db(), 'templates-old', 1), null);
    });
  });
}
