/** Routes as a table of paths and methods, so that what is not in it is refused in one place. */

import type { Hono } from 'hono';
import type { Answering, Bindings, HttpContext } from './call.ts';

type Answer = ((context: HttpContext) => Response | Promise<Response>) & { answering?: Answering };

/** One handler for each method of a path: a catch-all beside it would cost every request hono's shortest way. */
const methods = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE'] as const;

export type Routes = [path: string, handlers: Partial<Record<(typeof methods)[number], Answer>>][];

/** A method of a path, as hono has it: `/emails/:id`. */
export type TakenRoute = { method: string; path: string };

const taken = new WeakMap<Hono<Bindings>, TakenRoute[]>();

/** Of all tables together, HEAD included: hono's own list has every method of each path. */
export function takenRoutes(app: Hono<Bindings>): readonly TakenRoute[] {
  return taken.get(app) ?? [];
}

const direct = new WeakMap<Hono<Bindings>, Map<string, Answering>>();

/** What posts to paths without parameters are answered with, by the path: the sends, above all. */
export function directRoutes(app: Hono<Bindings>): ReadonlyMap<string, Answering> {
  return direct.get(app) ?? new Map();
}

/** A path without handlers is unknown; a method a path has no handler for is refused by `refuseMethod`. */
export function addRoutes(
  app: Hono<Bindings>,
  routes: Routes,
  refuse: { route: () => never; method: (context: HttpContext) => never },
): void {
  for (const [path, handlers] of routes) {
    const allowed = methods
      .filter((method) => handlers[method])
      .flatMap((one) => (one === 'GET' ? [one, 'HEAD'] : one));
    // RFC 9110 15.5.6: a 405 says what is allowed.
    const refuseMethod = (context: HttpContext) => {
      context.set('allow', allowed.join(', '));
      return refuse.method(context);
    };
    taken.set(app, [...(taken.get(app) ?? []), ...allowed.map((method) => ({ method, path }))]);
    const { POST } = handlers;
    // Of two routes that match, the one added first answers.
    if (POST?.answering && !/[:*]/.test(path)) {
      const known = direct.get(app) ?? new Map<string, Answering>();
      if (!known.has(path)) direct.set(app, known.set(path, POST.answering));
    }
    const refusal = allowed.length === 0 ? refuse.route : refuseMethod;
    for (const method of methods) app.on(method, path, handlers[method] ?? refusal);
  }
}
