/** What stands around every page: head, navigation, theme, and the place the script keeps fresh. */

import type { Child } from 'hono/jsx';
import { firstAccount } from '../../core/account.ts';
import { isUnavailable } from '../../core/error.ts';
import { findCount } from '../../store/counts.ts';
import { script, style } from '../assets.ts';
import { pageHeaders } from './headers.ts';
import { Form, Notice, Pill } from './pieces.tsx';
import { isCapture, type Theme, type Visit } from './visit.ts';

export type PageOptions = {
  title: string;
  /** The navigation's entry this page belongs to. */
  at: string;
  status?: number;
  /** Whether its content is fetched again when something changes. */
  isLive?: boolean;
  content: Child;
};

type Entry = [path: string, name: string, icon: string];

const entries: Entry[] = [
  ['', 'Overview', 'M3 13h6V3H3v10Zm0 8h6v-6H3v6Zm8 0h10V11H11v10Zm0-18v6h10V3H11Z'],
  ['/emails', 'Emails', 'M3 5h18v14H3V5Zm0 0 9 8 9-8'],
  ['/idempotency', 'Idempotency', 'M14 10a4 4 0 1 0-4 4l1 1h2v2h2v2h4v-3l-5-5v-1Z'],
  ['/in-doubt', 'In doubt', 'M12 8v5m0 3v.5M12 3l10 18H2L12 3Z'],
  ['/webhooks', 'Webhooks', 'M6 12a4 4 0 1 1 4-6l2 4m6 2a4 4 0 1 1-4 6h-4m-2-2a4 4 0 1 0 2 6'],
  ['/inbox', 'Inbox', 'M3 13h5l2 3h4l2-3h5M5 5h14l2 8v6H3v-6l2-8Z'],
  ['/relays', 'Relays', 'M3 12h6m6-6h6m-6 12h6M9 12l6-6M9 12l6 6M6 9v6'],
  ['/suppressions', 'Manage', 'M4 6h16M4 12h16M4 18h10'],
  ['/setup', 'Setup', 'M4 7h10m4 0h2M4 17h4m4 0h8M14 4v6M8 14v6'],
];

/** More in doubt than this are not counted on every page. */
const doubtsMax = 100;

export async function renderPage(visit: Visit, options: PageOptions): Promise<Response> {
  const doubts = await findDoubts(visit);
  const body = (
    <Document title={options.title} theme={visit.theme}>
      <a class="button skip" href="#content">
        Skip to content
      </a>
      <div class="frame">
        <Side visit={visit} at={options.at} doubts={doubts} />
        <main
          id="content"
          tabindex={-1}
          {...(options.isLive ? { 'data-live': `/dashboard/live?since=${visit.since}` } : {})}
        >
          {isCapture(visit.parts) && <Captures />}
          {options.content}
        </main>
      </div>
    </Document>
  );
  return htmlResponse(body, options.status ?? 200);
}

/** On every page: nobody should wait for mail that leaves nowhere. */
function Captures() {
  return (
    <Notice tone="warning">
      <b>Mail is captured: nothing leaves this server.</b> Set <code>RELAY_URL</code> to send for real.
    </Notice>
  );
}

/** Null where the database says nothing right now: that is not none. */
async function findDoubts({ parts, session }: Visit): Promise<number | null> {
  try {
    return await findCount(parts.database, session.account, 'in_doubt');
  } catch (error) {
    if (isUnavailable(error)) return null;
    throw error;
  }
}

export async function htmlResponse(
  body: Child,
  status: number,
  headers: Record<string, string> = {},
): Promise<Response> {
  // Of components that wait for something, the text is a promise.
  const text = await (body as { toString(): string | Promise<string> }).toString();
  return new Response(`<!doctype html>${text}`, { status, headers: { ...pageHeaders, ...headers } });
}

export function Document({ title, theme, children }: { title: string; theme: Theme; children?: Child }) {
  return (
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <title>{title} · Sendonce</title>
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content={theme ?? 'light dark'} />
        <link rel="icon" href={icon} />
        <link rel="stylesheet" href={style.path} />
        <script type="module" src={script.path} />
      </head>
      <body>{children}</body>
    </html>
  );
}

/** One dot, once. */
const icon = `data:image/svg+xml,${encodeURIComponent(
  '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="8" fill="#0f766e"/><circle cx="16" cy="16" r="5" fill="#fff"/></svg>',
)}`;

export function Brand() {
  return (
    <a class="row brand" href="/dashboard">
      <svg viewBox="0 0 32 32" width="24" height="24" aria-hidden="true">
        <rect width="32" height="32" rx="8" fill="#0f766e" />
        <circle cx="16" cy="16" r="5" fill="#fff" />
      </svg>
      <b>Sendonce</b>
    </a>
  );
}

function Side({ visit, at, doubts }: { visit: Visit; at: string; doubts: number | null }) {
  const isForm = visit.context.env.incoming.method === 'POST';
  return (
    <header class="side">
      <div>
        <Brand />
        <nav aria-label="Main">
          {entries
            .filter(([path]) => path !== '/inbox' || isCapture(visit.parts))
            .filter(([path]) => path !== '/relays' || visit.session.account === firstAccount)
            .map(([path, name, drawing]) => (
              <a href={`/dashboard${path}`} {...(at === path ? { 'aria-current': 'page' as const } : {})}>
                <svg viewBox="0 0 24 24" width="18" height="18" aria-hidden="true">
                  <path d={drawing} fill="none" stroke="currentColor" stroke-width="1.8" stroke-linejoin="round" />
                </svg>
                {name}
                {path === '/in-doubt' && <Doubts count={doubts} />}
              </a>
            ))}
        </nav>
        <div class="stack">
          <p class="muted small">
            {visit.session.account}
            <br />
            <code title={visit.session.keyName}>{visit.session.maskedKey}</code>
          </p>
          <div class="row">
            {/* What answers a form stands where nothing is shown, and choosing a theme would lead there. */}
            {!isForm && <ThemeForm visit={visit} />}
            <Form visit={visit} action="/dashboard/sign-out">
              <button type="submit" class="button quiet">
                Sign out
              </button>
            </Form>
          </div>
        </div>
      </div>
    </header>
  );
}

/** What waits for a person. The script puts a fresh one in its place. */
function Doubts({ count }: { count: number | null }) {
  return (
    <span data-fresh="doubts">
      {count === null && <Pill tone="muted">?</Pill>}
      {count !== null && count > 0 && <Pill tone="warning">{count < doubtsMax ? count : `${doubtsMax - 1}+`}</Pill>}
    </span>
  );
}

/** Offers the other theme. Where none was chosen only the browser knows which is the other: the style sheet shows one. */
function ThemeForm({ visit }: { visit: Visit }) {
  const isKnown = visit.theme !== null;
  return (
    <Form visit={visit} action="/dashboard/theme">
      {visit.theme !== 'dark' && (
        <button type="submit" class={isKnown ? 'button quiet' : 'button quiet to-dark'} name="theme" value="dark">
          Dark
        </button>
      )}
      {visit.theme !== 'light' && (
        <button type="submit" class={isKnown ? 'button quiet' : 'button quiet to-light'} name="theme" value="light">
          Light
        </button>
      )}
    </Form>
  );
}
