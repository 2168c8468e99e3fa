/** `npm run screenshots`: a picture of each page, light and dark, desktop and phone, in docs/images/. */

import { mkdirSync, writeFileSync } from 'node:fs';
import type { Browser, Page } from 'playwright-core';
import { openBrowser } from './browser.ts';
import { shrinkPng } from './png.ts';
import { type Scene, startCaptureScene, startRelayScene, testKey } from './scene.ts';

const target = 'docs/images';
const only = process.argv[2];

const views = [
  { name: 'light', colorScheme: 'light', width: 1280, height: 800 },
  { name: 'dark', colorScheme: 'dark', width: 1280, height: 800 },
  { name: 'phone-light', colorScheme: 'light', width: 390, height: 844 },
  { name: 'phone-dark', colorScheme: 'dark', width: 390, height: 844 },
] as const;

/** Of a long page, the beginning tells enough. */
const heightMax = 1_800;

type Shot = { name: string; path: (page: Page, scene: Scene) => Promise<string> | string };

const at = (path: string) => () => path;

/** The first email whose row says so. */
const emailIn =
  (state: string) =>
  async (_: Page, { server }: Scene) => {
    const { data } = (await server.call('GET', '/emails?limit=100')).json;
    const found = data.find((one: { last_event: string; in_doubt?: boolean }) => one.last_event === state);
    return `/emails/${found.id}`;
  };

const webhookId = async (server: Scene['server']): Promise<string> =>
  (await server.call('GET', '/webhooks')).json.data[0].id;

const relayShots: Shot[] = [
  { name: 'overview', path: at('') },
  { name: 'emails', path: at('/emails') },
  { name: 'emails-search', path: at('/emails?q=hanna') },
  { name: 'emails-none', path: at('/emails?q=nobody@nowhere') },
  { name: 'email', path: emailIn('sent') },
  { name: 'email-waiting', path: emailIn('delivery_delayed') },
  { name: 'email-bounced', path: emailIn('bounced') },
  { name: 'idempotency', path: at('/idempotency') },
  { name: 'key', path: at('/idempotency?key=order-paid/10591') },
  { name: 'in-doubt', path: at('/in-doubt') },
  { name: 'webhooks', path: at('/webhooks') },
  { name: 'webhook', path: async (_, { server }) => `/webhooks/${await webhookId(server)}` },
  {
    name: 'webhook-event',
    path: async (_, { server }) => {
      const id = await webhookId(server);
      const { data } = (await server.call('GET', `/webhooks/${id}/events?limit=100`)).json;
      return `/webhooks/${id}/${data.find((one: { type: string }) => one.type === 'email.bounced').id}`;
    },
  },
  { name: 'setup', path: at('/setup') },
  { name: 'not-found', path: at('/nowhere') },
];

const captureShots: Shot[] = [
  { name: 'inbox', path: at('/inbox') },
  {
    name: 'inbox-mail',
    path: async (_, { server }) => `/inbox/${(await server.call('GET', '/emails')).json.data[0].id}`,
  },
  {
    name: 'inbox-phone-width',
    path: async (_, { server }) => `/inbox/${(await server.call('GET', '/emails')).json.data[0].id}?view=phone`,
  },
  { name: 'setup-capture', path: at('/setup?lang=brevo') },
];

const emptyShots: Shot[] = [
  { name: 'overview-empty', path: at('') },
  { name: 'emails-empty', path: at('/emails') },
  { name: 'in-doubt-empty', path: at('/in-doubt') },
  { name: 'webhooks-empty', path: at('/webhooks') },
  { name: 'inbox-empty', path: at('/inbox') },
];

async function shootAll(browser: Browser, scene: Scene, shots: Shot[]): Promise<void> {
  for (const view of views) {
    const { width, height, colorScheme } = view;
    const context = await browser.newContext({
      viewport: { width, height },
      colorScheme,
      timezoneId: 'Europe/Berlin',
      locale: 'en-GB',
    });
    const page = await context.newPage();
    await page.goto(`${scene.server.url}/dashboard/sign-in`);
    if (!only || only === 'sign-in') save(`sign-in-${view.name}`, await page.screenshot());
    await page.getByLabel('API key').fill(testKey);
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.waitForURL('**/dashboard');
    for (const shot of shots) {
      if (only && !shot.name.startsWith(only)) continue;
      await page.goto(`${scene.server.url}/dashboard${await shot.path(page, scene)}`);
      // Figures that are still being counted ask for themselves again.
      await page.locator('[data-settling]').first().waitFor({ state: 'detached', timeout: 10_000 });
      const overflow = await page.evaluate('document.documentElement.scrollWidth - innerWidth');
      if (Number(overflow) > 0) console.log(`${shot.name}-${view.name} is ${overflow} px too wide`);
      const tall = Number(await page.evaluate('document.documentElement.scrollHeight'));
      const clip = { x: 0, y: 0, width, height: Math.min(tall, heightMax) };
      save(`${shot.name}-${view.name}`, await page.screenshot({ fullPage: true, clip }));
    }
    await context.close();
  }
}

function save(name: string, png: Uint8Array): void {
  writeFileSync(`${target}/${name}.png`, shrinkPng(png));
}

mkdirSync(target, { recursive: true });
const browser = await openBrowser();
if (!browser) process.exit(1);
for (const [start, shots] of [
  [startRelayScene, relayShots],
  [startCaptureScene, captureShots],
  [startEmptyScene, emptyShots],
] as const) {
  if (only && only !== 'sign-in' && !shots.some((shot) => shot.name.startsWith(only))) continue;
  const scene = await start();
  await shootAll(browser, scene, shots);
  await scene.stop();
}
await browser.close();

async function startEmptyScene(): Promise<Scene> {
  const { startTestServer } = await import('../support/server.ts');
  const server = await startTestServer();
  return { server, stop: () => server.stop() };
}
