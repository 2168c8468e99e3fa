/** Access tokens for XOAUTH2: asked for with a refresh token, or the client's own credentials (RFC 6749 6, 4.4), and kept until they end. */

import { createBlot } from '../core/blot.ts';
import type { OAuthGrant } from '../core/oauth-grant.ts';
import { createEgress, type Egress } from './egress.ts';

/** `isRefused`: asking again would be answered alike; otherwise the server could not be asked. In words without secrets. */
export class NoToken extends Error {
  override readonly name = 'NoToken';
  readonly isRefused: boolean;

  constructor(message: string, isRefused: boolean) {
    super(message);
    this.isRefused = isRefused;
  }
}

/** A session that begins just before a token ends is to log in all the same. */
const earlierMs = 2 * 60_000;

/** Where the answer names none; RFC 6749 recommends that it does. */
const lifeMsDefault = 5 * 60_000;

const limits = { maxBytes: 65_536, timeoutMs: 20_000 };

/** The operator has chosen where tokens come from: addresses of the operator's own network are as good as others. */
const everywhere = ['0.0.0.0/0', '::/0'];

/** Those that a grant gives, from wherever the operator has said. */
export function openTokens(grant: OAuthGrant): Tokens {
  return new Tokens(grant, createEgress({ allow: everywhere }));
}

export class Tokens {
  readonly #grant: OAuthGrant;
  readonly #egress: Egress;
  readonly #now: () => number;
  /** Microsoft gives a new one with each token; the one before stays good for a while. */
  #refreshToken: string | null;
  #known: { token: string; endsAt: number } | null = null;
  /** Sessions that open together ask once. */
  #asking: Promise<string> | null = null;

  constructor(grant: OAuthGrant, egress: Egress, now: () => number = Date.now) {
    this.#grant = grant;
    this.#egress = egress;
    this.#now = now;
    this.#refreshToken = grant.refreshToken;
  }

  /** @throws NoToken */
  current(refused: string | null): Promise<string> {
    const known = this.#known;
    if (known && known.token !== refused && this.#now() < known.endsAt) return Promise.resolve(known.token);
    this.#asking ??= this.#ask().finally(() => {
      this.#asking = null;
    });
    return this.#asking;
  }

  async #ask(): Promise<string> {
    const askedAt = this.#now();
    const answer = await this.#egress.request({
      method: 'POST',
      url: this.#grant.tokenUrl,
      headers: { 'content-type': 'application/x-www-form-urlencoded', accept: 'application/json' },
      body: this.#form().toString(),
      ...limits,
    });
    if (answer.kind !== 'ok') throw new NoToken(`The token server could not be asked: ${answer.message}`, false);
    const said = readJson(answer.bytes);
    const { access_token: token, expires_in: seconds, refresh_token: next } = said;
    if (answer.status !== 200 || typeof token !== 'string' || !/^[!-~]+$/.test(token)) {
      throw new NoToken(this.#explain(answer.status, said), answer.status >= 400 && answer.status < 500);
    }
    if (typeof next === 'string' && this.#refreshToken !== null) this.#refreshToken = next;
    const lifeMs = typeof seconds === 'number' ? seconds * 1_000 : lifeMsDefault;
    this.#known = { token, endsAt: askedAt + Math.max(lifeMs - earlierMs, lifeMs / 2) };
    return token;
  }

  #form(): URLSearchParams {
    const { clientId, clientSecret, scope } = this.#grant;
    const refreshToken = this.#refreshToken;
    const form = new URLSearchParams({
      grant_type: refreshToken === null ? 'client_credentials' : 'refresh_token',
      client_id: clientId,
    });
    if (clientSecret !== null) form.set('client_secret', clientSecret);
    if (refreshToken !== null) form.set('refresh_token', refreshToken);
    if (scope !== null) form.set('scope', scope);
    return form;
  }

  #explain(status: number, { error, error_description: description }: Record<string, unknown>): string {
    const words = [error, description].filter((one) => typeof one === 'string').join(': ');
    const secrets = [this.#grant.clientSecret, this.#grant.refreshToken, this.#refreshToken];
    const blot = createBlot(secrets.filter((one) => one !== null));
    return `The token server said ${status} ${blot(words).slice(0, 500)}`.trim();
  }
}

function readJson(bytes: Uint8Array): Record<string, unknown> {
  try {
    const said: unknown = JSON.parse(Buffer.from(bytes).toString());
    return typeof said === 'object' && said !== null ? (said as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}
