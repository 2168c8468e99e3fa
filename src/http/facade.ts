/** What each facade is, in one record: everything outside its folder that has to know it asks here. */

import assert from 'node:assert';
import type { Hono } from 'hono';
import type { AppError } from '../core/error.ts';
import { type Endpoint, scopeOf } from '../use-cases/submission.ts';
import type { WebhookContract } from '../webhook/request.ts';
import type { Bindings, Gatekeeper, Reply } from './call.ts';
import type { RateState } from './rate-limit.ts';

/** What a facade writes in its own words although no handler of it is involved: refusals, and what is left of the rate limit. */
export type Wording = {
  renderError(error: AppError): Reply;
  /** Sent with every counted answer. */
  limitHeaders(state: RateState): Record<string, string>;
};

export type Facade = {
  /** Stored with keys, emails and webhooks: it never changes. */
  name: string;
  /** As the page calls it, and how it says that a mail came through it. */
  label: string;
  through: string;
  /** Where it takes submissions under a key, and how long such keys live. */
  endpoints: readonly Endpoint[];
  /** Null where nobody can subscribe to events. */
  webhooks: WebhookContract | null;
};

/** What a facade is to a request over HTTP. */
export type Web = {
  /** What its paths begin with. Empty for the one at the root, which has every path that no other facade has. */
  path: string;
  wording: Wording;
  /** What to say to a client that has left `path` out; null where the path is none of its own. */
  hintFor?(path: string): string | null;
};

/** A facade over HTTP: `Parts` is what its handlers use. */
export type HttpFacade<Parts> = Facade &
  Web & {
    addRoutes(app: Hono<Bindings>, gatekeeper: Gatekeeper, parts: Parts): void;
  };

/** Clients read the errors of the facade whose path they ask below; our own routes and the page speak the root's. */
export function webOf(facades: readonly Web[], path: string): Web | undefined {
  const named = facades.find((one) => one.path !== '' && (path === one.path || path.startsWith(`${one.path}/`)));
  return named ?? facades.find((one) => one.path === '');
}

/** Of a webhook that is stored under the name of its facade. */
export function contractOf(facades: readonly Facade[], name: string): WebhookContract {
  const contract = facades.find((one) => one.name === name)?.webhooks;
  assert(contract, 'a facade that made a webhook goes on telling it');
  return contract;
}

/** The scopes of keys, by the paths of their endpoints. */
export function keyScopesOf(facades: readonly Facade[]): ReadonlyMap<string, string> {
  const endpoints = facades.flatMap((facade) => facade.endpoints);
  return new Map(endpoints.map((endpoint) => [endpoint.name.replace(/^\S+ /, ''), scopeOf(endpoint)]));
}
