/** The door: an API key in, a session cookie out. */

import { AppError } from '../../core/error.ts';
import type { HttpContext } from '../../http/call.ts';
import { cameFrom } from './came-from.ts';
import { Brand, Document, htmlResponse } from './frame.tsx';
import { Notice } from './pieces.tsx';
import { Forbidden, noteProblem } from './problem.tsx';
import { sessionMs } from './session.ts';
import type { PageParts, Theme } from './visit.ts';

export const sessionCookie = 'sendonce_session';

export async function showSignIn(
  theme: Theme,
  problem: string | null,
  status = 200,
  headers: Record<string, string> = {},
): Promise<Response> {
  const body = (
    <Document title="Sign in" theme={theme}>
      <main class="door" id="content">
        <Brand />
        <h1>Sign in</h1>
        <p class="muted">Use an API key with full access. It is not stored in the browser.</p>
        {problem && <Notice tone="bad">{problem}</Notice>}
        <form method="post" action="/dashboard/sign-in" class="stack">
          <label for="key">API key</label>
          <input
            id="key"
            name="key"
            type="password"
            autocomplete="current-password"
            required
            autofocus
            spellcheck={false}
            placeholder="re_…"
          />
          <button type="submit" class="button primary">
            Sign in
          </button>
        </form>
        <details>
          <summary>Where do I find a key?</summary>
          <p>The first start printed one. To create another on the server:</p>
          <pre>
            <code>node dist/main.js key create --name page</code>
          </pre>
        </details>
      </main>
    </Document>
  );
  return htmlResponse(body, status, headers);
}

export async function signIn(
  parts: PageParts,
  context: HttpContext,
  form: URLSearchParams,
  theme: Theme,
): Promise<Response> {
  const { guesses, clientAddress, sessions } = parts.access;
  const address = clientAddress(context.env.incoming);
  const key = (form.get('key') ?? '').trim();
  try {
    await guesses.admit(address, key);
  } catch (error) {
    if (!(error instanceof AppError) || error.code !== 'wrong_keys') throw error;
    const wait = Math.max(1, Math.ceil(error.retryAfterSeconds ?? 1));
    return showSignIn(theme, `Too many wrong keys from your address. Try again in ${wait} seconds.`, 429);
  }
  const cookie = await sessions.open(key);
  if (!cookie) {
    guesses.failed(address, key);
    return showSignIn(
      theme,
      'Invalid key, revoked, sending-only, or its account is disabled. Run `sendonce key list`.',
      401,
    );
  }
  guesses.succeeded(address, key);
  return redirect('/dashboard', setCookie(parts, sessionCookie, cookie, sessionMs / 1_000, true));
}

/**
 * Of every session of this key: `end` makes copies of the cookie worth nothing. It needs the database; the browser it was
 * asked in forgets its own whatever happens.
 */
export async function signOut(
  parts: PageParts,
  context: HttpContext,
  theme: Theme,
  end: () => Promise<void>,
): Promise<Response> {
  const forgotten = setCookie(parts, sessionCookie, '', 0, true);
  try {
    await end();
  } catch (error) {
    if (error instanceof Forbidden) throw error;
    noteProblem(error, context);
    return showSignIn(theme, signedOutHereOnly, 503, { 'set-cookie': forgotten });
  }
  return redirect('/dashboard/sign-in', forgotten);
}

const signedOutHereOnly =
  'This browser is signed out, but the server could not record it: other sessions of this key may still be valid. To end them, sign in and out again, or revoke the key.';

export function chooseTheme(parts: PageParts, context: HttpContext, form: URLSearchParams): Response {
  const theme = form.get('theme');
  if (theme !== 'light' && theme !== 'dark')
    throw new AppError('invalid_parameter', 'Choose the light or the dark theme.');
  return redirect(cameFrom(context) ?? '/dashboard', setCookie(parts, 'sendonce_theme', theme, 365 * 86_400, false));
}

/** Only this origin's own pages send it back; where the server is reached over TLS, only over TLS. */
function setCookie(parts: PageParts, name: string, value: string, seconds: number, isSecret: boolean): string {
  const secure = parts.facts.publicUrl().startsWith('https:') ? '; Secure' : '';
  const secret = isSecret ? '; HttpOnly' : '';
  return `${name}=${value}; Path=/dashboard; SameSite=Strict; Max-Age=${seconds}${secret}${secure}`;
}

export function redirect(path: string, cookie?: string): Response {
  return new Response(null, { status: 303, headers: { location: path, ...(cookie ? { 'set-cookie': cookie } : {}) } });
}
