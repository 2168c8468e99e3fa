/** The app that the doors are built into, and the one place where a refusal becomes a response. */

import assert from 'node:assert';
import type { HttpBindings } from '@hono/node-server';
import { Hono } from 'hono';
import { matchedRoutes } from 'hono/route';
import { AppError, CommitUnknown } from '../core/error.ts';
import { type AskedFor, log } from '../log.ts';
import { ClientGone } from './arriving.ts';
import type { Auth } from './auth.ts';
import { type Bindings, type HttpContext, type Reply, toResponse } from './call.ts';
import { type Web, type Wording, webOf } from './facade.ts';
import type { HostCheck } from './host.ts';
import { createNowhere, type Nowhere } from './nowhere.ts';
import { RateLimited, type RateState } from './rate-limit.ts';
import { requestIdHeader, requestIdOf } from './request-id.ts';

/** Adds the routes of one subject; of two that match, the one added first answers. */
export type Door = (app: Hono<Bindings>) => void;

/** `auth`: whoever asks for what is not there with a wrong key is told of the key, which is what they have to mend first. */
export function createApp(doors: readonly Door[], facades: readonly Web[], auth: Auth | null = null): Hono<Bindings> {
  const app = new Hono<Bindings>();
  const nowhere = createNowhere(app);
  const told = async (error: Error, context: HttpContext) => {
    const first = isNowhere(error) ? ((await findWrongKey(auth, context)) ?? error) : error;
    const { incoming } = context.env;
    const refused = {
      incoming,
      path: context.req.path,
      pattern: () => patternOf(context),
      rateState: context.get('rateState'),
      allow: context.get('allow'),
    };
    return toResponse(refusalOf(facades, withNext(first, { facades, nowhere, context }), refused));
  };
  app.onError(told);
  // Not thrown: what stands around the routes, the log of requests above all, would see an error instead of an answer.
  app.notFound((context) => told(new AppError('route_not_found', 'The requested endpoint does not exist.'), context));
  for (const add of doors) add(app);
  return app;
}

export type Fetch = Hono<Bindings>['fetch'];

/** Before any door: each request has a name, and who asks for another host is answered by none of them. */
export function guarded(app: Hono<Bindings>, facades: readonly Web[], findRefusal: HostCheck): Fetch {
  return (request, env, execution) => {
    const { incoming, outgoing } = env as HttpBindings;
    // On the answer before there is one: all that may come of the request has it then.
    outgoing.setHeader(requestIdHeader, requestIdOf(incoming));
    const refusal = findRefusal(incoming);
    if (!refusal) return app.fetch(request, env, execution);
    return toResponse(wordingOf(facades, pathOf(incoming.url)).renderError(refusal));
  };
}

/** Not a door itself: what is asked of the doors after it is logged, where the level asks for it. */
export const requestLog: Door = (app) => {
  if (log.showsRequests()) app.use('*', logRequest);
};

function isNowhere(error: Error): boolean {
  return error instanceof AppError && (error.code === 'route_not_found' || error.code === 'method_not_allowed');
}

/** Whoever sends none is asked for none: the path is not there for anybody. */
async function findWrongKey(auth: Auth | null, { env: { incoming } }: HttpContext): Promise<AppError | null> {
  const { authorization, 'api-key': apiKey } = incoming.headers;
  if (!auth || (authorization === undefined && apiKey === undefined)) return null;
  try {
    await auth(incoming);
    return null;
  } catch (error) {
    // Without the database nobody knows; the path is not there all the same.
    return error instanceof AppError && error.code !== 'unavailable' ? error : null;
  }
}

type Asked = { facades: readonly Web[]; nowhere: Nowhere; context: HttpContext };

/** Who asks for what is not there is told what is. */
function withNext(error: Error, { facades, nowhere, context }: Asked): Error {
  if (!(error instanceof AppError)) return error;
  const { code, message } = error;
  const { method = '' } = context.env.incoming;
  const { path } = context.req;
  if (code === 'method_not_allowed') {
    return new AppError(code, message, { next: nowhere.onMethod(method, path, context.get('allow')) });
  }
  if (code !== 'route_not_found') return error;
  const [hint] = facades.map((facade) => facade.hintFor?.(path) ?? null).filter((one) => one !== null);
  return new AppError(code, message, { next: hint ?? nowhere.onPath(method, path) });
}

/** The route, never what stands in its place: paths carry recipients' addresses, keys and user ids. */
function patternOf(context: HttpContext): string {
  const routes = matchedRoutes(context).filter(({ path }) => path !== '*' && path !== '/*');
  return routes.at(-1)?.path ?? '(no route)';
}

function askedFor({ incoming, pattern }: Pick<Refused, 'incoming' | 'pattern'>): AskedFor {
  return { request: requestIdOf(incoming), method: incoming.method ?? '', path: pattern() };
}

async function logRequest(context: HttpContext, next: () => Promise<void>): Promise<void> {
  const started = performance.now();
  await next();
  const asked = { incoming: context.env.incoming, pattern: () => patternOf(context) };
  log.request(askedFor(asked), context.res.status, performance.now() - started);
}

/** A request that is refused. */
export type Refused = {
  incoming: HttpBindings['incoming'];
  path: string;
  /** The route, for the log. */
  pattern: () => string;
  rateState: RateState | undefined;
  allow?: string | undefined;
};

/** Refusals in the facade's own shape; what should not happen is logged and never shown. */
export function refusalOf(facades: readonly Web[], error: Error, refused: Refused): Reply {
  if (error instanceof CommitUnknown) log.commitNotFoundOut(error.cause);
  // No status would be true, and a client that gets none asks again under the same key.
  if (error instanceof ClientGone || error instanceof CommitUnknown) {
    refused.incoming.socket.destroy();
    return { status: 400, body: null };
  }
  const refusal =
    error instanceof AppError ? error : new AppError('internal', 'An unexpected error occurred.', { cause: error });
  if (refusal.code === 'internal') log.requestFailed(askedFor(refused), error);
  if (refusal.code === 'unavailable') log.unavailable(askedFor(refused), error);
  const wording = wordingOf(facades, refused.path);
  const rateState = error instanceof RateLimited ? error.state : refused.rateState;
  const limitHeaders = rateState ? wording.limitHeaders(rateState) : {};
  const { status, body, headers } = wording.renderError(refusal);
  const allow: Record<string, string> = refused.allow ? { allow: refused.allow } : {};
  return { status, body, headers: { ...limitHeaders, ...allow, ...headers } };
}

export function wordingOf(facades: readonly Web[], path: string): Wording {
  const wording = webOf(facades, path)?.wording;
  assert(wording, 'every path belongs to a facade: the one at the root has the rest');
  return wording;
}

function pathOf(url = ''): string {
  return url.split('?')[0] ?? '';
}
