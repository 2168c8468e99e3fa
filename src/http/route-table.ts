/** Routes as a table of paths and methods, so that what is not in it is refused in one place. */

import type { Hono } from 'hono';
import type { Bindings, HttpContext } from './call.ts';

type Answer = (context: HttpContext) => Response | Promise<Response>;

/** One handler for each method of a path: a catch-all beside it would cost every request hono's shortest way. */
const methods = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'] as const;

export type Routes = [path: string, handlers: Partial<Record<(typeof methods)[number], Answer>>][];

/** A path without handlers is unknown; a method a path has no handler for is refused by `refuseMethod`. */
export function addRoutes(
  app: Hono<Bindings>,
  routes: Routes,
  refuse: { route: () => never; method: (context: HttpContext) => never },
): void {
  for (const [path, handlers] of routes) {
    const refusal = Object.keys(handlers).length === 0 ? refuse.route : refuse.method;
    for (const method of methods) app.on(method, path, handlers[method] ?? refusal);
  }
}
