/** The page in a real browser, as a person uses it. */

import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, describe, test } from 'node:test';
import axe from 'axe-core';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { Resend } from 'resend';
import { chosenEngine } from '../support/engine.ts';
import { type Receiver, startReceiver } from '../support/receiver.ts';
import { message, startTestServer, type TestServer, testKey } from '../support/server.ts';
import { type Sink, startSink } from '../support/smtp-sink.ts';
import { modes } from '../support/smtp-sink-modes.ts';
import { openBrowser } from './browser.ts';
import { makeOneOfEach, pagePaths } from './every-page.ts';
import { indexed } from './visitor.ts';

const browser: Browser | null = await openBrowser();

describe('the page in a browser', { skip: browser === null }, () => {
  let server: TestServer;
  let sink: Sink;
  let receiver: Receiver;
  let resend: Resend;
  /** Requests that left the server's own origin. */
  const strayed: string[] = [];

  before(async () => {
    sink = await startSink();
    server = await startTestServer({ environment: { RELAY_URL: `smtp://127.0.0.1:${sink.port}` } });
    receiver = await startReceiver(null);
    receiver.behave = () => ({ body: 'noted, thank you' });
    await server.call('POST', '/webhooks', { endpoint: `${receiver.url}/hooks`, events: ['email.sent'] });
    resend = new Resend(testKey, { baseUrl: server.url });
  });
  after(async () => {
    await browser?.close();
    await server.stop();
    await sink.close();
    await receiver.close();
  });

  async function open(
    options: Parameters<Browser['newContext']>[0] = {},
  ): Promise<{ context: BrowserContext; page: Page }> {
    const context = await (browser as Browser).newContext(options);
    context.setDefaultTimeout(20_000);
    context.on('request', (request) => {
      const url = request.url();
      if (!url.startsWith(`${server.url}/`) && !url.startsWith('data:')) strayed.push(url);
    });
    // A page of ours that its own policy had to stop is as wrong as one that got through.
    context.on('weberror', (error) => strayed.push(String(error.error())));
    return { context, page: await context.newPage() };
  }

  async function signIn(page: Page, to = server): Promise<void> {
    await page.goto(`${to.url}/dashboard`);
    await page.getByLabel('API key').fill(testKey);
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByRole('heading', { name: 'Overview' }).waitFor();
  }

  async function send(subject: string, key: string, more: Record<string, unknown> = {}): Promise<string> {
    const body = { from: 'Acme <a@example.com>', to: ['ann@example.com'], subject, html: '<p>Hello</p>', ...more };
    const { data, error } = await resend.emails.send(body, { idempotencyKey: key });
    assert.equal(error, null);
    return data?.id ?? '';
  }

  /** As it is painted: light words on a dark ground. */
  async function isDark(page: Page): Promise<boolean> {
    const colours = '[getComputedStyle(document.body).color, getComputedStyle(document.body).backgroundColor]';
    const [text = 0, ground = 0] = ((await page.evaluate(colours)) as string[]).map((colour) =>
      (colour.match(/\d+/g) ?? []).slice(0, 3).reduce((sum, one) => sum + Number(one), 0),
    );
    return text > ground;
  }

  /** What stands in the way of somebody who does not see, or has no mouse. */
  async function assertAccessible(page: Page, which = '{}'): Promise<void> {
    // The same pages stand on PostgreSQL, and reading one of them takes axe a second.
    if (chosenEngine() === 'postgres') return;
    await page.evaluate(axe.source);
    const found = await page.evaluate(
      `axe.run(document, { resultTypes: ['violations'], ...${which} }).then(({ violations }) => violations
        .filter((one) => one.impact === 'serious' || one.impact === 'critical')
        .map((one) => one.id + ': ' + one.nodes.map((node) => node.html.slice(0, 160)).join(' | ')))`,
    );
    assert.deepEqual(found, [], `at ${page.url()}`);
  }

  test('a person signs in, sees a mail arrive, opens it, pastes its key, settles a doubt, replays a webhook, and signs out', async () => {
    const { context, page } = await open();
    await page.goto(`${server.url}/dashboard`);
    await signIn(page);
    await page.getByText('Nothing has been sent yet').waitFor();
    // Charts tell time as the rest of the page does: in the viewer's zone.
    assert.doesNotMatch((await page.locator('svg title').allTextContents()).join(), /UTC/);

    await page.getByRole('link', { name: 'Emails', exact: true }).first().click();
    await page.getByText('No emails yet').waitFor();
    await page.locator('html.is-live').waitFor();
    await send('Your order has been paid', 'order/1');
    await page.getByText('Your order has been paid').waitFor();

    await page.keyboard.press('j');
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'Your order has been paid' }).waitFor();
    await page.getByText('Handing to relay').waitFor();
    await page.getByText('250 2.0.0').first().waitFor();
    await page.frameLocator('iframe').getByText('Hello').waitFor();

    await send('Your order has been paid', 'order/1');
    await page.getByRole('link', { name: 'Idempotency', exact: true }).first().click();
    await page.getByLabel('Idempotency key').fill('order/1');
    await page.keyboard.press('Enter');
    await page.getByText('retry replayed').waitFor();
    await page.getByText('resend-node').waitFor();

    sink.behave = () => modes.acceptThenDrop;
    const doubted = await send('Reset your password', 'reset/1');
    await page.getByRole('navigation').getByRole('link', { name: 'In doubt 1' }).click();
    await page.getByRole('link', { name: 'Reset your password' }).waitFor();
    await assertAccessible(page);
    sink.behave = () => modes.accept;
    await page.getByRole('button', { name: 'The relay has it' }).click();
    await page.getByText('Marked as sent.').waitFor();
    assert.equal((await resend.emails.get(doubted)).data?.last_event, 'sent');
    await page.getByRole('heading', { name: 'Nothing in doubt' }).waitFor();
    await page.getByRole('link', { name: 'In doubt', exact: true }).waitFor();

    await page.getByRole('link', { name: 'Webhooks', exact: true }).first().click();
    await page.getByRole('link', { name: /127\.0\.0\.1.*hooks/ }).click();
    await page
      .getByRole('link', { name: /email\.sent/ })
      .first()
      .click();
    await page.getByText('noted, thank you').waitFor();
    const eventId = new URL(page.url()).pathname.split('/').at(-1);
    const copies = () => receiver.told.filter(({ headers }) => headers['svix-id'] === eventId).length;
    assert.equal(copies(), 1);
    await page.getByRole('button', { name: 'Replay' }).click();
    await page.getByText('Sent again, with the same ID.').waitFor();
    await receiver.until(() => copies() === 2);
    await page.getByText('noted, thank you').nth(1).waitFor();

    await indexed(server);
    await page.getByRole('link', { name: 'Overview', exact: true }).first().click();
    await page.getByText('All accounted for').waitFor();

    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.getByRole('heading', { name: 'Sign in' }).waitFor();
    await page.goto(`${server.url}/dashboard/emails`);
    await page.getByRole('heading', { name: 'Sign in' }).waitFor();
    await context.close();
  });

  test('every page of the table can be used without a mouse and without seeing, light and dark, and fits a phone', async () => {
    const mail = await send('Something to show', 'show/1');
    const places = await makeOneOfEach(server, receiver.url);
    const paths = pagePaths().filter((path) => !path.startsWith('/inbox'));
    const more = ['/emails?q=nothing-like-it', `/emails/${mail}?view=headers`, '/idempotency?key=show/1'];
    await eachFits(server, [...paths, ...more, '/setup?lang=java', '/nowhere'], places);
    assert.deepEqual(strayed, [], 'no request left the origin');
    const capturing = await startTestServer();
    const id = (await capturing.call('POST', '/emails', message({ subject: 'Captured' }))).json.id;
    await capturing.until('it is captured', async () => (await capturing.call('GET', `/emails/${id}`)).json.captured);
    await eachFits(capturing, ['/inbox', '/inbox/:id'], { '/inbox/:id': `/inbox/${id}` });
    await capturing.stop();
  });

  async function eachFits(of: TestServer, paths: string[], places: Record<string, string>): Promise<void> {
    for (const colorScheme of ['light', 'dark'] as const) {
      const context = await (browser as Browser).newContext({ colorScheme, viewport: { width: 360, height: 740 } });
      const page = await context.newPage();
      await signIn(page, of);
      for (const path of paths) {
        const place = places[path] ?? path;
        assert.doesNotMatch(place, /:/, 'a page with an id says which one it is looked at with');
        await page.goto(`${of.url}/dashboard${place}`);
        // What only colours change is read once more.
        await assertAccessible(page, colorScheme === 'dark' ? "{ runOnly: ['color-contrast'] }" : '{}');
        const fits = await page.evaluate('document.documentElement.scrollWidth <= innerWidth');
        assert.equal(fits, true, `${place} is too wide`);
      }
      await context.close();
    }
  }

  test('the search is reached by a key and finds what was sent', async () => {
    await send('A rare wombat', 'wombat/1', { to: ['zoe@example.com'] });
    await indexed(server);
    const { context, page } = await open();
    await signIn(page);
    await page.goto(`${server.url}/dashboard/emails`);
    await page.keyboard.press('/');
    await page.keyboard.type('wombat');
    await page.keyboard.press('Enter');
    await page.getByText('zoe@example.com').waitFor();
    assert.equal(await page.locator('a[data-row]').count(), 1);
    await context.close();
  });

  test('without scripts it does the same, but for what is live', async () => {
    const scheduled = await send('Not before tomorrow', 'tomorrow/1', { scheduledAt: 'in 20 hours' });
    const { context, page } = await open({ javaScriptEnabled: false });
    await signIn(page);
    await page.goto(`${server.url}/dashboard/emails/${scheduled}`);
    await page.getByRole('button', { name: 'Cancel email' }).click();
    await page.getByText('It will not be sent.').waitFor();
    assert.equal((await resend.emails.get(scheduled)).data?.last_event, 'canceled');
    await page.getByRole('button', { name: 'Dark' }).first().click();
    assert.equal(await isDark(page), true);
    await page.goto(`${server.url}/dashboard/setup`);
    await page.getByLabel('To').fill('you@example.com');
    await page.getByRole('button', { name: 'Send test' }).click();
    await page.getByRole('heading', { name: 'A test from Sendonce' }).waitFor();
    await page.goto(`${server.url}/dashboard/webhooks`);
    await page.getByLabel('Endpoint', { exact: true }).fill('http://10.0.0.1/hooks');
    await page.getByRole('button', { name: 'Add webhook' }).click();
    await page.getByRole('alert').getByText('10.0.0.1 is not on the public internet').waitFor();
    await page.getByLabel('Endpoint', { exact: true }).fill('https://example.com/without-script');
    await page.getByRole('button', { name: 'Add webhook' }).click();
    await page.getByText(/^whsec_/).waitFor();
    await page.getByRole('button', { name: 'Disable' }).click();
    await page.getByText('Disabled. Events that happen').waitFor();
    await page.getByRole('button', { name: 'Delete' }).click();
    await page.getByText('Deleted. It receives no more events.').waitFor();
    assert.equal(await page.getByText('without-script').count(), 0);
    await context.close();
  });

  test('a retry that sends nothing is seen live where it is counted', async () => {
    await send('Once', 'once/1');
    await server.tick();
    const { context, page } = await open();
    await signIn(page);
    const before = Number(await page.locator('.figure').textContent());
    await page.locator('html.is-live').waitFor();
    await send('Once', 'once/1');
    await server.tick();
    await page
      .locator('.figure')
      .getByText(String(before + 1), { exact: true })
      .waitFor();
    await context.close();
  });

  test('what is live takes away neither the place one is at nor what one opened, and holds still under a pointer that answers', async () => {
    await send('Opened', 'opened/1');
    const { context, page } = await open();
    await signIn(page);
    await page.goto(`${server.url}/dashboard/idempotency?key=opened/1`);
    await page.getByText('Stored response').click();
    await send('Opened', 'opened/1');
    await page.getByText('retry replayed').waitFor();
    assert.equal(await page.locator('main details[open]').count(), 1, 'it was closed');

    await page.goto(`${server.url}/dashboard/webhooks`);
    await page.getByLabel('Endpoint', { exact: true }).fill(`${receiver.url}/closed-again`);
    for (const box of await page.getByRole('checkbox').all()) await box.check();
    await page.getByRole('button', { name: 'Add webhook' }).click();
    await page.getByText(/^whsec_/).waitFor();
    await page.getByText('Show secret').click();
    await page.locator('html.is-live').waitFor();
    await send('While it is closed', 'closed/1');
    await page.getByRole('link', { name: /email\.sent/ }).waitFor();
    assert.equal(await page.locator('main details[open]').count(), 0, 'the secret was opened again');
    const made = new URL(page.url()).pathname.split('/').at(-1);
    await server.call('DELETE', `/webhooks/${made}`);

    sink.behave = () => modes.acceptThenDrop;
    const [first] = [await send('First in doubt', 'doubt/1'), await send('Second in doubt', 'doubt/2')];
    await server.until('both are in doubt', async () => (await held()) === 2);
    await page.goto(`${server.url}/dashboard/in-doubt`);
    const second = page.getByRole('article').filter({ hasText: 'Second in doubt' });
    const button = second.getByRole('button', { name: 'Send it again' });
    await button.focus();
    await send('Third in doubt', 'doubt/3');
    await page.getByText('Third in doubt').waitFor();
    assert.equal(await second.locator('button:focus').textContent(), 'Send it again');

    await button.hover();
    await server.call('POST', `/in-doubt/${first}`, { answer: 'sent' });
    await page.locator('html.is-held').waitFor();
    assert.equal(await page.getByText('First in doubt').count(), 1, 'it moved under the pointer');
    await page.mouse.move(0, 0);
    await page.getByText('First in doubt').waitFor({ state: 'detached' });
    sink.behave = () => modes.accept;
    await context.close();
  });

  async function held(): Promise<number> {
    return (await server.call('GET', '/in-doubt')).json.data.length;
  }

  test('the button for the other theme names the other theme, also where the system chose', async () => {
    const { context, page } = await open({ colorScheme: 'dark' });
    await signIn(page);
    assert.equal(await page.getByRole('button', { name: 'Dark' }).count(), 0);
    assert.equal(await isDark(page), true);
    await page.getByRole('button', { name: 'Light' }).click();
    await page.getByRole('button', { name: 'Dark' }).waitFor();
    assert.equal(await isDark(page), false);
    await page.getByRole('button', { name: 'Dark' }).click();
    await page.getByRole('button', { name: 'Light' }).waitFor();
    assert.equal(await isDark(page), true);
    assert.equal(await page.getByRole('button', { name: 'Dark' }).count(), 0);
    await context.close();
  });

  test('what is said to be copied has been copied, also where the browser gives the page no clipboard', async () => {
    const { context, page } = await open();
    await context.addInitScript("Object.defineProperty(navigator, 'clipboard', { value: undefined })");
    await signIn(page);
    await page.goto(`${server.url}/dashboard/setup`);
    await page.evaluate(
      "document.addEventListener('copy', () => { window.copied = String(document.activeElement.value); })",
    );
    await page.getByRole('button', { name: 'Copy' }).first().click();
    await page.getByText('Copied').waitFor();
    assert.equal(await page.evaluate('window.copied'), server.url);
    await page.getByText('Copied').waitFor({ state: 'detached' });
    await page.evaluate('document.execCommand = () => false');
    await page.getByRole('button', { name: 'Copy' }).first().click();
    await page.getByText('Not copied').waitFor();
    await context.close();
  });

  test('a mail with scripts, forms, frames and remote images does nothing', async () => {
    const witness = await startWitness();
    const evil = witness.url;
    const html = `<script>document.title = 'owned'; fetch('${evil}/fetch')</script><img src=x onerror="parent.document.title='owned'">
      <img src="${evil}/pixel.png"><link rel="stylesheet" href="${evil}/a.css"><style>@import '${evil}/b.css'; body { background: url(${evil}/c.png) }</style>
      <form action="${evil}/form"><input name="q"><button>Press</button></form><iframe src="${evil}/frame"></iframe>
      <meta http-equiv="refresh" content="0;url=${evil}/refresh"><base href="${evil}/"><object data="${evil}/object"></object>
      <svg onload="document.title='owned'"></svg><a href="javascript:document.title='owned'">Click</a>
      <video src="${evil}/video" autoplay></video><p>The end</p>`;
    const id = (await server.call('POST', '/emails', message({ subject: 'Evil', html }))).json.id;
    const { context, page } = await open();
    await signIn(page);
    await page.goto(`${server.url}/dashboard/emails/${id}`);
    const frame = page.frameLocator('iframe');
    await frame.getByText('The end').waitFor();
    await frame.getByRole('button', { name: 'Press' }).click();
    await frame.getByText('Click').click();
    // Opened by itself, without the frame around it, it is held by the same rules.
    const alone = await context.newPage();
    await alone.goto(`${server.url}/dashboard/emails/${id}/html`);
    await alone.getByText('The end').waitFor();
    await alone.getByRole('button', { name: 'Press' }).click();
    assert.equal(alone.url(), `${server.url}/dashboard/emails/${id}/html`);
    assert.match(await page.title(), /^Evil/);
    assert.deepEqual(witness.asked, []);
    // The control: once asked for, pictures and styles are fetched, and still nothing else.
    await page.getByRole('link', { name: 'Load remote images' }).click();
    await witness.until('/pixel.png');
    await page.frameLocator('iframe').getByText('The end').waitFor();
    const allowed = new Set(['/pixel.png', '/a.css', '/b.css', '/c.png']);
    assert.deepEqual(
      witness.asked.filter((path) => !allowed.has(path)),
      [],
    );
    await context.close();
    await witness.close();
  });
});

/** A server of somebody else's, which only remembers what it was asked for. */
async function startWitness() {
  const asked: string[] = [];
  let wake = () => {};
  const witness = createServer((request, response) => {
    asked.push(request.url ?? '');
    response.end();
    wake();
  });
  await new Promise<void>((resolve) => witness.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(witness.address() as AddressInfo).port}`,
    asked,
    async until(path: string) {
      while (!asked.includes(path)) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    },
    async close() {
      witness.closeAllConnections();
      await new Promise((resolve) => witness.close(resolve));
    },
  };
}
