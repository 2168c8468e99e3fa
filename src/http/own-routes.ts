/** The routes no provider has: what an idempotency key did, and what is in doubt. They answer in Resend's shape. */

import type { Hono } from 'hono';
import { answerWith, type Bindings, type Gatekeeper, type Handler, type HttpContext } from './call.ts';
import { type KeyParts, keyPath, showKey } from './idempotency-keys.ts';
import { answerOne, type DoubtParts, doubtPath, listDoubt } from './in-doubt.ts';
import { refusals, wording } from './resend/errors.ts';
import { addRoutes } from './route-table.ts';

export type OwnParts = { keys: KeyParts; doubt: DoubtParts };

export function addOwnRoutes(app: Hono<Bindings>, gatekeeper: Gatekeeper, { keys, doubt }: OwnParts): void {
  const full = (handler: Handler) => answerWith(gatekeeper, wording, 'full', handler);
  const history = (context: HttpContext) => full((call) => showKey(keys, call, rawPath(context)))(context);

  addRoutes(
    app,
    [
      [`${keyPath}*`, { GET: history }],
      [doubtPath, { GET: full((call) => listDoubt(doubt, call)) }],
      [`${doubtPath}/:id`, { POST: full((call) => answerOne(doubt, call)) }],
    ],
    refusals,
  );
}

/** As it was sent: a key may hold what a URL parser would tidy up. */
function rawPath(context: HttpContext): string {
  return (context.env.incoming.url ?? '').replace(/^https?:\/\/[^/]*/i, '').replace(/\?.*$/s, '');
}
