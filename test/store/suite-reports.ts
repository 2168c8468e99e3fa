/** What every engine must do about the counts that reports read: called by the suite. */

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { before, describe, it } from 'node:test';
import { emailOf, type Message } from '../../src/core/email.ts';
import type { EventType } from '../../src/core/event.ts';
import { createIdSource } from '../../src/core/token.ts';
import type { Database } from '../../src/store/database.ts';
import { insertEmails } from '../../src/store/mail/emails.ts';
import { appendEvent } from '../../src/store/mail/events.ts';
import { searchEmails } from '../../src/store/page/email-search.ts';
import { readReport } from '../../src/store/page/report.ts';
import { countEmails, countEvents } from '../../src/store/page/report-counts.ts';
import { type About, dayMs } from '../../src/store/page/report-tally.ts';
import { idTimeMax } from '../../src/store/page/rollups.ts';
import { indexEmails } from '../../src/store/page/search-index.ts';
import { createPurge } from '../../src/use-cases/purge.ts';

const today = 20_900;
const now = today * dayMs + 5 * 60 * 60_000;
const nextId = createIdSource(randomBytes);
const account = 'reports';
const abouts: About[] = [{}, { tag: 'welcome' }, { tag: 'kind: gold' }, { template: 7 }, { tag: 'nobody' }];

const message: Message = {
  from: 'Acme <hello@example.com>',
  to: ['Ann <ann@example.org>'],
  cc: [],
  bcc: [],
  replyTo: [],
  subject: 'Hello',
  html: '<p>Hi</p>',
  text: null,
  headers: [],
  tags: [],
  topicId: null,
  attachments: [],
  scheduledText: null,
  scheduledAt: null,
};

export function describeReports(db: () => Database): void {
  const step = { until: idTimeMax, limit: 2 };
  const ids: string[] = [];

  async function accept(createdAt: number, change: Partial<Message>): Promise<void> {
    const id = nextId(createdAt);
    const email = emailOf(
      { ...message, ...change },
      { account, id, messageId: `<${id}@example.com>`, createdAt, madeText: null },
    );
    await db().write((tx) => insertEmails(tx, [email], { facade: 'brevo', keyHash: null }));
    ids.push(id);
  }

  const tell = (index: number, type: EventType, at: number, recipients: string[], code = '250 ok') =>
    db().write((tx) => appendEvent(tx, account, ids[index] ?? '', type, at, { recipients, reply: code }));

  const report = async () => {
    const days = { from: today - 2, until: today + 2 };
    const all = await Promise.all(abouts.map((about) => readReport(db(), account, about, days)));
    return all.map((one) => [...one].sort(([a], [b]) => a - b));
  };

  /** Nothing is counted yet: all is walked. */
  async function reportOfWalk() {
    await db().write(async (tx) => {
      await tx.run('delete from report_counts where account = ?', account);
      await tx.run("delete from cursors where name in (?, 'events of reports')", `reported ${account}`);
    });
    return report();
  }

  const counted = async () => {
    while (await db().write((tx) => countEmails(tx, account, step)));
    while (await db().write((tx) => countEvents(tx, step)));
  };

  describe('reports', () => {
    before(async () => {
      await accept(now - dayMs, { tags: [{ name: 'welcome', value: '' }], templateId: 7 });
      await accept(now, { to: ['ann@example.org', 'ANN@example.org', 'bob@example.org'], cc: ['cid@example.org'] });
      await accept(now + 1, { tags: [{ name: 'kind', value: 'gold' }], to: ['bob@example.org'], templateId: 71 });
      await accept(now + 2, { tags: [{ name: 'kind', value: 'gold' }], templateId: 7 });
      await tell(0, 'sent', now - dayMs, ['ann@example.org']);
      await tell(0, 'delivered', now - dayMs + 1, ['ann@example.org']);
      await tell(1, 'delivered', now + 1, ['ann@example.org', 'ANN@example.org', 'cid@example.org']);
      await tell(1, 'bounced', now + 2, ['bob@example.org'], '550 5.1.1 gone');
      await tell(2, 'bounced', now + dayMs, ['bob@example.org'], '451 later');
      await tell(3, 'delivered', now + 3, ['ann@example.org']);
      await tell(3, 'complained', now + dayMs, ['ann@example.org']);
    });

    it('say the same, however far the counting has come', async () => {
      const walked = await reportOfWalk();
      const [all = []] = walked;
      const counts = { requests: 5, delivered: 3, hard_bounces: 1, soft_bounces: 0, complaints: 0, blocked: 0 };
      assert.deepEqual(all[1], [today, counts]);
      for (let more = true; more; ) {
        more = await db().write((tx) => countEmails(tx, account, step));
        assert.deepEqual(await report(), walked);
      }
      for (let more = true; more; ) {
        more = await db().write((tx) => countEvents(tx, step));
        assert.deepEqual(await report(), walked);
      }
      await tell(1, 'complained', now + 5, ['cid@example.org']);
      const later = await report();
      assert.notDeepEqual(later, walked);
      await counted();
      assert.deepEqual(await report(), later);
      assert.deepEqual(await reportOfWalk(), later);
    });

    it('forget with the log of a recipient what was counted of it, and no more', async () => {
      const purge = createPurge(db(), { now: () => now, expiryNow: () => now });
      for (const part of ['nothing', 'emails', 'all']) {
        await reportOfWalk();
        if (part !== 'nothing') while (await db().write((tx) => countEmails(tx, account, step)));
        if (part === 'all') await counted();
        const [index, address] = { nothing: [1, 'ann@example.org'], emails: [1, 'bob@example.org'] }[part] ?? [3, null];
        const before = await report();
        assert.equal(await purge.log(account, ids[Number(index)] ?? '', address as string | null), true);
        const after = await report();
        assert.notDeepEqual(after, before, part);
        await counted();
        assert.deepEqual(await report(), after, part);
        assert.deepEqual(await reportOfWalk(), after, part);
      }
    });

    it('find emails by whom they are for and by their template, however far the index has come', async () => {
      const span = { from: 0, until: now + dayMs };
      const find = async (named: { recipient: string } | { template: number }, order: 'asc' | 'desc') => {
        const found: number[] = [];
        for await (const email of searchEmails(db(), account, { span, order, named })) {
          const isIt =
            'template' in named
              ? email.templateId === named.template
              : [...email.to, ...email.cc].some((one) => one.toLowerCase().includes(named.recipient));
          if (isIt) found.push(ids.indexOf(email.id));
        }
        return order === 'asc' ? found : found.reverse();
      };
      await reportOfWalk();
      for (let more = true; more; ) {
        for (const order of ['asc', 'desc'] as const) {
          assert.deepEqual(await find({ recipient: 'bob@example.org' }, order), [1, 2]);
          assert.deepEqual(await find({ template: 7 }, order), [0, 3]);
        }
        const terms = await db().write((tx) => indexEmails(tx, account, step));
        more = (await db().write((tx) => countEmails(tx, account, step))) || terms;
      }
      assert.deepEqual(await find({ recipient: 'bob@example.org' }, 'desc'), [1, 2]);
      assert.deepEqual(await find({ template: 7 }, 'asc'), [0, 3]);
    });
  });
}
