/** `npm run screenshots [NAME [VIEW…]]`: each page at four widths, light and dark, full, empty and failing, read by axe; and those docs show. */

import { mkdirSync, writeFileSync } from 'node:fs';
import axe from 'axe-core';
import type { Browser, Page } from 'playwright-core';
import { openBrowser } from './browser.ts';
import { movingPng, shrinkPng } from './png.ts';
import { type Scene, startCaptureScene, startFailingScene, startRelayScene, testKey } from './scene.ts';

/** Looked at, and thrown away. */
const target = 'build-screenshots';

/** Those the README shows. */
const shown = new Map([
  ['email-1440-light', 'email-light'],
  ['key-1440-dark', 'key-dark'],
  ['in-doubt-1440-light', 'in-doubt-light'],
  ['inbox-mail-1440-dark', 'inbox-mail-dark'],
]);

/** What the moving picture walks through. */
const tour = ['overview', 'emails', 'email-bounced', 'idempotency', 'in-doubt', 'relays', 'templates-one'];
const tourFrames = new Map<string, Uint8Array>();

/** The beginning of a name, and views: `overview`, `"" 390-light 1440-dark`. */
const [only, ...onlyViews] = process.argv.slice(2);

const sizes = [
  { width: 390, height: 844 },
  { width: 1024, height: 768 },
  { width: 1440, height: 900 },
  { width: 1920, height: 1080 },
];
const views = sizes.flatMap((size) =>
  (['light', 'dark'] as const).map((colorScheme) => ({ ...size, colorScheme, name: `${size.width}-${colorScheme}` })),
);

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

/** The newest of what the API lists there. */
const first =
  (path: string) =>
  async (_: Page, { server }: Scene) =>
    `${path}/${(await server.call('GET', path)).json.data[0].id}`;

const webhookId = async (server: Scene['server']): Promise<string> =>
  (await server.call('GET', '/webhooks')).json.data[0].id;

/** The first view shows what waits; until the others are taken it has left, and they say so. */
let sentAgain: string | null = null;

async function sendAgain(page: Page, { server }: Scene): Promise<string> {
  await page.goto(`${server.url}/dashboard/in-doubt`);
  await page.getByRole('button', { name: 'Send it again' }).first().click();
  await page.getByRole('button', { name: 'Send it again' }).click();
  await page.getByRole('button', { name: 'Undo' }).waitFor();
  const { pathname, search } = new URL(page.url());
  return `${pathname}${search}`.replace('/dashboard', '');
}

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
  { name: 'relays', path: at('/relays') },
  { name: 'suppressions', path: at('/suppressions') },
  { name: 'domains', path: at('/domains') },
  { name: 'api-keys', path: at('/api-keys') },
  { name: 'templates', path: at('/templates') },
  { name: 'templates-one', path: first('/templates') },
  { name: 'templates-problem', path: at('/templates/1?params=nonsense') },
  { name: 'contacts', path: at('/contacts') },
  { name: 'contacts-one', path: first('/contacts') },
  { name: 'broadcasts', path: at('/broadcasts') },
  { name: 'broadcasts-one', path: first('/broadcasts') },
  { name: 'accounts', path: at('/accounts') },
  { name: 'accounts-one', path: at('/accounts/shop') },
  { name: 'settings', path: at('/settings') },
  { name: 'setup', path: at('/setup') },
  { name: 'docs', path: at('/../docs') },
  { name: 'not-found', path: at('/nowhere') },
  // The last: it is in doubt no more.
  {
    name: 'undo',
    path: async (page, scene) => {
      sentAgain ??= await sendAgain(page, scene);
      return sentAgain;
    },
  },
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

const failingShots: Shot[] = [
  { name: 'overview-failing', path: at('') },
  { name: 'relays-failing', path: at('/relays') },
  { name: 'email-failing', path: emailIn('delivery_delayed') },
  { name: 'emails-failing', path: at('/emails?state=put-off') },
  { name: 'setup-failing', path: at('/setup') },
];

const emptyShots: Shot[] = [
  { name: 'idempotency-empty', path: at('/idempotency') },
  { name: 'suppressions-empty', path: at('/suppressions') },
  { name: 'domains-empty', path: at('/domains') },
  { name: 'contacts-empty', path: at('/contacts') },
  { name: 'broadcasts-empty', path: at('/broadcasts') },
  { name: 'overview-empty', path: at('') },
  { name: 'emails-empty', path: at('/emails') },
  { name: 'in-doubt-empty', path: at('/in-doubt') },
  { name: 'webhooks-empty', path: at('/webhooks') },
  { name: 'inbox-empty', path: at('/inbox') },
  { name: 'api-keys-empty', path: at('/api-keys') },
  { name: 'templates-empty', path: at('/templates') },
  { name: 'accounts-empty', path: at('/accounts') },
  { name: 'relays-empty', path: at('/relays') },
  { name: 'setup-empty', path: at('/setup') },
];

async function shootAll(browser: Browser, scene: Scene, shots: Shot[]): Promise<void> {
  for (const view of views) {
    if (onlyViews.length > 0 && !onlyViews.includes(view.name)) continue;
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
      // Once for each: what a width hides, another shows.
      if (view.name === '390-light' || view.name === '1440-dark') await audit(page, `${shot.name}-${view.name}`);
      if (view.name === '1440-light' && tour.includes(shot.name)) tourFrames.set(shot.name, await frame(page));
    }
    await context.close();
  }
}

/** As a reader of the README sees it: smaller than a screen, and all of one size. */
async function frame(page: Page): Promise<Uint8Array> {
  const before = page.viewportSize();
  await page.setViewportSize({ width: 1_040, height: 650 });
  const png = await page.screenshot();
  if (before) await page.setViewportSize(before);
  return png;
}

async function audit(page: Page, name: string): Promise<void> {
  await page.evaluate(axe.source);
  const found = (await page.evaluate(
    `axe.run(document, { resultTypes: ['violations'] }).then(({ violations }) => violations
       .map(({ id, nodes }) => id + ' at ' + nodes.map(({ target }) => target.join(' ')).join(', ')))`,
  )) as string[];
  for (const one of found) console.log(`${name}: ${one}`);
}

function save(name: string, png: Uint8Array): void {
  writeFileSync(`${target}/${name}.png`, png);
  const document = shown.get(name);
  if (document !== undefined) writeFileSync(`docs/images/${document}.png`, shrinkPng(png));
}

mkdirSync(target, { recursive: true });
const browser = await openBrowser();
if (!browser) process.exit(1);
for (const [start, shots] of [
  [startRelayScene, relayShots],
  [startFailingScene, failingShots],
  [startCaptureScene, captureShots],
  [startEmptyScene, emptyShots],
] as const) {
  if (only && only !== 'sign-in' && !shots.some((shot) => shot.name.startsWith(only))) continue;
  const scene = await start();
  await shootAll(browser, scene, shots);
  await scene.stop();
}
await browser.close();
const frames = tour.flatMap((name) => tourFrames.get(name) ?? []);
if (frames.length === tour.length) {
  const picture = movingPng(frames, 2_200);
  writeFileSync('docs/images/tour.png', picture);
  console.log(`docs/images/tour.png has ${Math.round(picture.length / 1_000)} kB`);
}

async function startEmptyScene(): Promise<Scene> {
  const { startTestServer } = await import('../support/server.ts');
  const server = await startTestServer();
  return { server, stop: () => server.stop() };
}
