/** The page's paths, and the guard before them: who is signed in, and whether a form comes from our own pages. */

import type { Hono } from 'hono';
import { AppError, isUnavailable } from '../core/error.ts';
import { ClientGone } from '../http/arriving.ts';
import { type Bindings, goneSignal, type HttpContext } from '../http/call.ts';
import { readerUntil } from '../store/database.ts';
import { script, style } from './assets.ts';
import { cancel, email, reschedule, sendAsNew } from './emails/email.tsx';
import { cancelMany, emails } from './emails/emails.tsx';
import { exportCsv } from './emails/found-emails.ts';
import { idempotency } from './emails/idempotency.tsx';
import { answerInDoubt, inDoubt, undoAnswer } from './emails/in-doubt.tsx';
import { clearAll, inbox, inboxMail } from './emails/inbox.tsx';
import { mailEml, mailHtml } from './emails/mail-view.tsx';
import { assetHeaders, pageHeaders } from './frame/headers.ts';
import { Forbidden, noteProblem, renderProblem } from './frame/problem.tsx';
import { isSame, type Session } from './frame/session.ts';
import { chooseTheme, redirect, sessionCookie, showSignIn, signIn, signOut } from './frame/sign-in.tsx';
import { isCapture, type PageParts, type Theme, type Visit } from './frame/visit.ts';
import { apiKeys, createKey, revokeKey } from './manage/api-keys.tsx';
import { broadcast, broadcastHtml, broadcasts, cancelBroadcast, removeBroadcast } from './manage/broadcasts.tsx';
import { contact, removeContact, subscribeContact, unsubscribeContact } from './manage/contact.tsx';
import { addContact, addSegment, contacts } from './manage/contacts.tsx';
import { addDomain, domains, removeDomain, verifyDomain } from './manage/domains.tsx';
import { addSuppressed, removeSuppressed, suppressions } from './manage/suppressions.tsx';
import { publishTemplate, removeTemplate, template, templateHtml, templates } from './manage/templates.tsx';
import { overview } from './overview.tsx';
import {
  account,
  allowDomain,
  disableAccount,
  disallowDomain,
  enableAccount,
  limitAccount,
} from './server/account.tsx';
import { accounts, makeAccount } from './server/accounts.tsx';
import { orderRelay, relays } from './server/relays.tsx';
import { settings } from './server/settings.tsx';
import { setup, testSend } from './server/setup.tsx';
import { strayNotice, strayNotices } from './server/stray-notices.tsx';
import { disableWebhook, enableWebhook, removeWebhook, webhook } from './webhooks/webhook.tsx';
import { editWebhook, rotateSecret, testWebhook } from './webhooks/webhook-changes.tsx';
import { replayFailed } from './webhooks/webhook-deliveries.tsx';
import { replayEvent, webhookEvent } from './webhooks/webhook-event.tsx';
import { createWebhook, webhooks } from './webhooks/webhooks.tsx';

export const dashboardPath = '/dashboard';

type Page = (visit: Visit) => Response | Promise<Response>;

/** Forms of ours are a few fields; the longest holds a JSON body of a small mail. */
const formBytesMax = 64 * 1024;

export function addPageRoutes(app: Hono<Bindings>, parts: PageParts): void {
  const show = (path: string, page: Page) =>
    app.get(`${dashboardPath}${path}`, (context) => visitWith(parts, context, page));
  const send = (path: string, page: Page) =>
    app.post(`${dashboardPath}${path}`, (context) => visitWith(parts, context, page));
  const open = (work: (context: HttpContext, theme: Theme) => Promise<Response>) => (context: HttpContext) =>
    answer(parts, context, () => work(context, themeOf(context)));

  for (const asset of [style, script]) {
    app.get(asset.path, () => new Response(new Uint8Array(asset.content), { headers: assetHeaders(asset.type) }));
  }
  // Whoever types the address into a browser means the page; for programs there is nothing here.
  app.get('/', (context, next) =>
    context.req.header('accept')?.includes('text/html') ? redirect(dashboardPath) : next(),
  );
  app.get(
    '/dashboard/sign-in',
    open((context, theme) => showSignIn(theme, context.req.query('ended') === undefined ? null : ended)),
  );
  app.post(
    '/dashboard/sign-in',
    open(async (context, theme) => signIn(parts, context, await readForm(parts, context), theme)),
  );
  show('', overview);
  show('/emails', emails);
  show('/emails.csv', exportCsv);
  send('/emails/cancel', cancelMany);
  show('/emails/:id', email);
  show('/emails/:id/html', mailHtml);
  show('/emails/:id/eml', mailEml);
  send('/emails/:id/cancel', cancel);
  send('/emails/:id/reschedule', reschedule);
  send('/emails/:id/send', sendAsNew);
  show('/idempotency', idempotency);
  // Where it was until 0.2: alerts and bookmarks lead there.
  show('/keys', ({ query: { key } }) =>
    redirect(`/dashboard/idempotency${key === undefined ? '' : `?${new URLSearchParams({ key })}`}`),
  );
  show('/in-doubt', inDoubt);
  send('/in-doubt/:id', answerInDoubt);
  send('/in-doubt/:id/undo', undoAnswer);
  addWebhooks(show, send);
  show('/relays', relays);
  send('/relays', orderRelay);
  addManaged(show, send);
  addOperated(show, send);
  show('/setup', setup);
  send('/setup/test', testSend);
  if (isCapture(parts)) {
    show('/inbox', inbox);
    show('/inbox/:id', inboxMail);
    send('/inbox/clear', clearAll);
  }
  app.post(
    '/dashboard/sign-out',
    open(async (context, theme) => {
      const form = await readForm(parts, context);
      return signOut(parts, context, theme, () => endSession(parts, context, form));
    }),
  );
  send('/theme', ({ context, form }) => chooseTheme(parts, context, form));
  show('/live', (visit) => live(visit));
  app.all('/dashboard/*', (context) =>
    answer(parts, context, () => {
      throw new AppError('route_not_found', 'This page does not exist. Check the address.');
    }),
  );
}

type Add = (path: string, page: Page) => void;

function addWebhooks(show: Add, send: Add): void {
  show('/webhooks', webhooks);
  show('/webhooks/:id', webhook);
  show('/webhooks/:id/:event', webhookEvent);
  send('/webhooks', createWebhook);
  send('/webhooks/:id/enable', enableWebhook);
  send('/webhooks/:id/disable', disableWebhook);
  send('/webhooks/:id/delete', removeWebhook);
  send('/webhooks/:id/edit', editWebhook);
  send('/webhooks/:id/rotate', rotateSecret);
  send('/webhooks/:id/test', testWebhook);
  send('/webhooks/:id/replay-failed', replayFailed);
  send('/webhooks/:id/:event/replay', replayEvent);
}

/** What an account manages. */
function addManaged(show: Add, send: Add): void {
  show('/suppressions', suppressions);
  send('/suppressions', addSuppressed);
  send('/suppressions/remove', removeSuppressed);
  show('/domains', domains);
  send('/domains', addDomain);
  send('/domains/:id/verify', verifyDomain);
  send('/domains/:id/remove', removeDomain);
  show('/api-keys', apiKeys);
  send('/api-keys', createKey);
  send('/api-keys/revoke', revokeKey);
  show('/templates', templates);
  show('/templates/:id', template);
  show('/templates/:id/html', templateHtml);
  send('/templates/:id/publish', publishTemplate);
  send('/templates/:id/delete', removeTemplate);
  show('/contacts', contacts);
  show('/contacts/:id', contact);
  send('/contacts', addContact);
  send('/contacts/:id/unsubscribe', unsubscribeContact);
  send('/contacts/:id/subscribe', subscribeContact);
  send('/contacts/:id/delete', removeContact);
  send('/segments', addSegment);
  show('/broadcasts', broadcasts);
  show('/broadcasts/:id', broadcast);
  show('/broadcasts/:id/html', broadcastHtml);
  send('/broadcasts/:id/cancel', cancelBroadcast);
  send('/broadcasts/:id/delete', removeBroadcast);
}

/** What whoever runs the server manages. */
function addOperated(show: Add, send: Add): void {
  show('/accounts', accounts);
  show('/accounts/:name', account);
  send('/accounts', makeAccount);
  send('/accounts/:name/enable', enableAccount);
  send('/accounts/:name/disable', disableAccount);
  send('/accounts/:name/limits', limitAccount);
  send('/accounts/:name/allow', allowDomain);
  send('/accounts/:name/disallow', disallowDomain);
  show('/settings', settings);
  show('/notices', strayNotices);
  show('/notices/:id', strayNotice);
}

/** Finds out who is asking, or shows the door. A form counts only with the token of its own session. */
function visitWith(parts: PageParts, context: HttpContext, page: Page): Promise<Response> {
  return answer(parts, context, async () => {
    const isForm = context.env.incoming.method === 'POST';
    const form = isForm ? await readForm(parts, context) : new URLSearchParams();
    const visit = await findVisit(parts, context);
    if (!visit) return redirect(cookies(context)[sessionCookie] ? '/dashboard/sign-in?ended' : '/dashboard/sign-in');
    if (isForm) requireToken(visit.session, form);
    // Before anything is read: what comes while the page is made is news to it.
    const since = isForm ? '' : await parts.live.now(visit.session.account);
    const database = readerUntil(parts.database, goneSignal(context.env));
    return page({ ...visit, parts: { ...parts, database }, since, form });
  });
}

const ended = 'Your session has ended. If you just submitted a form, nothing was changed.';

async function findVisit(parts: PageParts, context: HttpContext): Promise<Visit | null> {
  const session = await parts.access.sessions.find(cookies(context)[sessionCookie]);
  const form = new URLSearchParams();
  return session && { context, parts, session, since: '', theme: themeOf(context), query: context.req.query(), form };
}

async function answer(
  parts: PageParts,
  context: HttpContext,
  work: () => Response | Promise<Response>,
): Promise<Response> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof ClientGone) throw error;
    noteProblem(error, context);
    const atTheDoor = { context, visit: null, theme: themeOf(context) };
    // Who is asking cannot be found out, and trying to would be waiting once more: anybody is shown this.
    if (isUnavailable(error)) return renderProblem(error, atTheDoor);
    try {
      return await renderProblem(error, { ...atTheDoor, visit: await findVisit(parts, context) });
    } catch (another) {
      noteProblem(another, context);
      return renderProblem(error, atTheDoor);
    }
  }
}

/** Of whoever is signed in; nothing is left to end for others. */
async function endSession(parts: PageParts, context: HttpContext, form: URLSearchParams): Promise<void> {
  const visit = await findVisit(parts, context);
  if (!visit) return;
  requireToken(visit.session, form);
  await parts.access.sessions.end(visit.session);
}

/** @throws Forbidden for a form that another origin's page sent. */
async function readForm({ access }: PageParts, context: HttpContext): Promise<URLSearchParams> {
  const { bytes, release } = await access.bodies.read(context.env.incoming, formBytesMax);
  const text = Buffer.from(bytes).toString('utf8');
  release();
  if (!isFromHere(context)) throw new Forbidden('This form was submitted from another site. Nothing was changed.');
  return new URLSearchParams(text);
}

/** Browsers say where a form comes from; one that says nothing is not let in. */
function isFromHere(context: HttpContext): boolean {
  const { headers } = context.env.incoming;
  const site = headers['sec-fetch-site'];
  if (site !== undefined) return site === 'same-origin';
  return headers.origin !== undefined && URL.canParse(headers.origin) && new URL(headers.origin).host === headers.host;
}

function requireToken(session: Session, form: URLSearchParams): void {
  if (isSame(session.formToken, form.get('token') ?? '')) return;
  throw new Forbidden(
    'This form belongs to another session. Nothing was changed. Go back, reload the page, and try again.',
  );
}

function cookies(context: HttpContext): Record<string, string> {
  const pairs = (context.env.incoming.headers.cookie ?? '').split(';').map((pair) => pair.trim().split('=', 2));
  return Object.fromEntries(pairs.map(([name = '', value = '']) => [name, value]));
}

function themeOf(context: HttpContext): Theme {
  const theme = cookies(context).sendonce_theme;
  return theme === 'light' || theme === 'dark' ? theme : null;
}

function live({ context, parts, session, query }: Visit): Response {
  const cookie = cookies(context)[sessionCookie];
  const stream = parts.live.open({
    account: session.account,
    since: query.since ?? '',
    isAllowed: async () => (await parts.access.sessions.find(cookie)) !== null,
  });
  return new Response(stream, {
    // Proxies that gather answers would keep it from being live.
    headers: { ...pageHeaders, 'content-type': 'text/event-stream', 'x-accel-buffering': 'no' },
  });
}
