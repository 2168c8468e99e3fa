/** From the overview, whatever a person has to do is at most three clicks away, and as near by keyboard alone. */

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { BrowserContext, Locator, Page } from 'playwright-core';
import { type Receiver, startReceiver } from '../support/receiver.ts';
import { message, startTestServer, type TestServer, testKey } from '../support/server.ts';
import { type Sink, startSink } from '../support/smtp-sink.ts';
import { modes } from '../support/smtp-sink-modes.ts';
import { openBrowser } from './browser.ts';
import { indexed } from './visitor.ts';

const clicksMax = 3;

/** All that is asked of an element: the compiler knows no browser. */
type Focusable = { matches(selector: string): boolean };

/** What was pressed since the overview. */
type Walk = { page: Page; choose(what: Locator): Promise<void>; count(): number };

const browser = await openBrowser();

describe('from the overview', { skip: browser === null }, () => {
  let server: TestServer;
  let sink: Sink;
  let receiver: Receiver;
  let context: BrowserContext;

  before(async () => {
    sink = await startSink();
    server = await startTestServer({ environment: { RELAY_URL: `smtp://127.0.0.1:${sink.port}` } });
    receiver = await startReceiver(null);
    receiver.behave = () => ({ status: 503 });
    await server.call('POST', '/webhooks', { endpoint: `${receiver.url}/hooks`, events: ['email.bounced'] });
    await makeTrouble();
    context = await (browser as NonNullable<typeof browser>).newContext();
    context.setDefaultTimeout(30_000);
    const page = await context.newPage();
    await page.goto(`${server.url}/dashboard`);
    await page.getByLabel('API key').fill(testKey);
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByRole('heading', { name: 'Overview' }).waitFor();
    await page.close();
  });
  after(async () => {
    await browser?.close();
    await server.stop();
    await sink.close();
    await receiver.close();
  });

  /** Two doubts, a bounce that a webhook did not take, and a conflict. */
  async function makeTrouble(): Promise<void> {
    const send = (to: string, subject: string, key: string) =>
      server.call('POST', '/emails', message({ to: [to], subject }), {
        'idempotency-key': key,
        'user-agent': 'shop/1',
      });
    sink.behave = () => ({ rcpt: () => '550 5.1.1 no such mailbox here' });
    await send('gone@example.com', 'To nobody', 'clicks/1');
    await server.until('the webhook has failed for good', async () => {
      server.clock.advance(6 * 60 * 60_000);
      const { id } = (await server.call('GET', '/webhooks')).json.data[0];
      return (await server.call('GET', `/webhooks/${id}/events`)).json.data[0]?.status === 'failed';
    });
    // Keys live for a day: it is used twice only now.
    sink.behave = () => modes.accept;
    for (const subject of ['Paid', 'Paid twice']) await send('ann@example.com', subject, 'clicks/2');
    await server.until('it is sent', async () => {
      const { data } = (await server.call('GET', '/emails?limit=1')).json;
      return data[0]?.last_event === 'sent';
    });
    sink.behave = () => modes.acceptThenDrop;
    for (const subject of ['First doubt', 'Second doubt']) await send('ivan@example.com', subject, `clicks/${subject}`);
    await server.until('both are in doubt', async () => (await server.call('GET', '/in-doubt')).json.data.length === 2);
    await indexed(server);
  }

  async function walk(by: 'pointer' | 'keyboard'): Promise<Walk> {
    const page = await context.newPage();
    await page.goto(`${server.url}/dashboard`);
    let chosen = 0;
    return {
      page,
      count: () => chosen,
      async choose(what) {
        chosen += 1;
        const target = what.first();
        if (by === 'pointer') return target.click();
        await target.waitFor();
        // As somebody without a pointer comes to it. Where the page before was still shown, it begins again at the top of this one.
        const isThere = () => target.evaluate((element) => (element as Focusable).matches(':focus'));
        for (let step = 0; step < 400 && !(await isThere()); step++) await page.keyboard.press('Tab');
        assert.ok(await isThere(), 'it is reached by Tab');
        await page.keyboard.press('Enter');
      },
    };
  }

  const walks: [what: string, go: (walk: Walk) => Promise<void>][] = [
    [
      'a doubt is answered',
      async ({ page, choose }) => {
        await choose(page.getByRole('link', { name: 'In doubt' }));
        await choose(page.getByRole('article').getByRole('button', { name: 'The relay has it' }));
        await page.getByRole('status').first().waitFor();
      },
    ],
    [
      'a bounce is understood',
      async ({ page, choose }) => {
        await choose(page.locator('main').getByRole('link', { name: /^Bounced/ }));
        await choose(page.getByRole('link', { name: /gone@example\.com/ }));
        await page.getByText('550 5.1.1 no such mailbox here').first().waitFor();
      },
    ],
    [
      'a conflict is traced to the client and the field',
      async ({ page, choose }) => {
        await choose(page.getByRole('link', { name: 'See each of them' }));
        await page.getByText('subject differed · shop/1').waitFor();
        await choose(page.getByRole('link', { name: /conflict/ }));
        await page.getByText('Different: subject').first().waitFor();
      },
    ],
    [
      'a webhook is told again',
      async ({ page, choose }) => {
        await choose(page.getByRole('navigation').getByRole('link', { name: 'Webhooks' }));
        await choose(page.getByRole('link', { name: /hooks/ }).filter({ hasText: receiver.url }));
        await choose(page.getByRole('button', { name: 'Replay all failed' }));
        await page.getByText(/sent again now/).waitFor();
      },
    ],
    [
      'a relay is paused, and goes on',
      async ({ page, choose }) => {
        await choose(page.getByRole('navigation').getByRole('link', { name: 'Relays' }));
        await choose(page.getByRole('button', { name: /Pause|Resume/ }));
        await page.getByText(/Paused\. It gets no more mail|Resumed\./).waitFor();
      },
    ],
  ];

  for (const by of ['pointer', 'keyboard'] as const) {
    for (const [what, go] of walks) {
      test(`${what} in at most ${clicksMax} clicks, by ${by}`, async () => {
        const one = await walk(by);
        await go(one);
        assert.ok(one.count() <= clicksMax, `${one.count()} clicks`);
        await one.page.close();
      });
    }
  }
});
