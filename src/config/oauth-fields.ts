/** Where a relay's tokens come from: the fields beside `auth = "xoauth2"`. */

import { isLoopback } from '../core/loopback.ts';
import type { OAuthGrant } from '../core/oauth-grant.ts';
import { FieldProblem, type Fields } from './relay-fields.ts';

/** Null: a password is used, or nothing. @throws FieldProblem */
export function readOAuth(fields: Fields): OAuthGrant | null {
  const auth = fields.text('auth');
  const given = {
    tokenUrl: fields.text('token_url'),
    clientId: fields.text('client_id'),
    clientSecret: fields.secret('client_secret'),
    refreshToken: fields.secret('refresh_token'),
    scope: fields.text('scope'),
  };
  if (auth !== null && auth !== 'xoauth2') throw new FieldProblem('`auth` must be "xoauth2", or be left out.');
  if (auth === null) {
    if (Object.values(given).every((one) => one === null)) return null;
    throw new FieldProblem('`token_url` and what belongs to it want auth = "xoauth2".');
  }
  const { tokenUrl, clientId, ...others } = given;
  if (tokenUrl === null || clientId === null)
    throw new FieldProblem('`token_url` and `client_id` are needed for xoauth2.');
  if (others.clientSecret === null && others.refreshToken === null) {
    throw new FieldProblem('`refresh_token`, `client_secret`, or both are needed for xoauth2.');
  }
  checkUrl(tokenUrl);
  return { tokenUrl, clientId, ...others };
}

/** It is sent secrets. */
function checkUrl(text: string): void {
  const url = URL.canParse(text) ? new URL(text) : null;
  const isSafe = url?.protocol === 'https:' || (url?.protocol === 'http:' && isLoopback(url.hostname));
  if (!isSafe) throw new FieldProblem('`token_url` must be a URL that begins with https://.');
}
