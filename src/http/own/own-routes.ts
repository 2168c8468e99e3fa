/** The routes no provider has: what an idempotency key did, what is in doubt, accounts, and relays. They answer in Resend's shape. */

import type { Hono } from 'hono';
import {
  answerWith,
  type Bindings,
  type Call,
  type Gatekeeper,
  type Handler,
  type HttpContext,
  type Reply,
} from '../call.ts';
import { refusals, wording } from '../resend/errors.ts';
import { addRoutes } from '../route-table.ts';
import {
  type AccountParts,
  accountsPath,
  allowDomain,
  changeAccount,
  disallowDomain,
  forFirstAccount,
  makeAccount,
  makeKey,
  removeAccount,
  revokeKey,
  showAccount,
  showAccounts,
  showKeys,
} from './accounts.ts';
import { type KeyParts, keyPath, lookUpKeys, lookupPath, showKey } from './idempotency-keys.ts';
import { answerOne, type DoubtParts, doubtPath, listDoubt } from './in-doubt.ts';
import { orderRelay, type RelayParts, relaysPath, showRelay, showRelays, testRelay } from './relays.ts';

export type OwnParts = { keys: KeyParts; doubt: DoubtParts; accounts: AccountParts; relays: RelayParts };

export function addOwnRoutes(app: Hono<Bindings>, gatekeeper: Gatekeeper, parts: OwnParts): void {
  const { keys, doubt, accounts, relays } = parts;
  const full = (handler: Handler) => answerWith(gatekeeper, wording, 'full', handler);
  const managing = (handle: (parts: AccountParts, call: Call) => Promise<Reply>) =>
    full((call) => forFirstAccount(handle)(accounts, call));
  const relaying = (handle: (parts: RelayParts, call: Call) => Promise<Reply>) =>
    full((call) => forFirstAccount(handle)(relays, call));
  const history = (context: HttpContext) => full((call) => showKey(keys, call, rawPath(context)))(context);

  addRoutes(
    app,
    [
      // A key may be called `lookup`, too.
      [lookupPath, { GET: history, POST: full((call) => lookUpKeys(keys, call)) }],
      [`${keyPath}*`, { GET: history }],
      [doubtPath, { GET: full((call) => listDoubt(doubt, call)) }],
      [`${doubtPath}/:id`, { POST: full((call) => answerOne(doubt, call)) }],
      [accountsPath, { GET: managing(showAccounts), POST: managing(makeAccount) }],
      [
        `${accountsPath}/:name`,
        { GET: managing(showAccount), PATCH: managing(changeAccount), DELETE: managing(removeAccount) },
      ],
      [`${accountsPath}/:name/domains`, { POST: managing(allowDomain) }],
      [`${accountsPath}/:name/domains/:domain`, { DELETE: managing(disallowDomain) }],
      [`${accountsPath}/:name/keys`, { GET: managing(showKeys), POST: managing(makeKey) }],
      [`${accountsPath}/:name/keys/:id`, { DELETE: managing(revokeKey) }],
      [relaysPath, { GET: relaying(showRelays) }],
      [`${relaysPath}/:name`, { GET: relaying(showRelay) }],
      [`${relaysPath}/:name/test`, { POST: relaying(testRelay) }],
      [`${relaysPath}/:name/pause`, { POST: relaying(orderRelay('pause')) }],
      [`${relaysPath}/:name/resume`, { POST: relaying(orderRelay('resume')) }],
      [`${relaysPath}/:name/retry`, { POST: relaying(orderRelay('retry')) }],
    ],
    refusals,
  );
}

/** As it was sent: a key may hold what a URL parser would tidy up. */
function rawPath(context: HttpContext): string {
  return (context.env.incoming.url ?? '').replace(/^https?:\/\/[^/]*/i, '').replace(/\?.*$/s, '');
}
