/** The page a form was sent from, as its browser says: where to go back to. */

import type { HttpContext } from '../../http/call.ts';

/** Its path and query; null for none of ours. The host does not matter: only the path is gone to, and here. */
export function cameFrom(context: HttpContext): string | null {
  const referer = context.req.header('referer');
  if (!referer || !URL.canParse(referer)) return null;
  const { pathname, search } = new URL(referer);
  return pathname === '/dashboard' || pathname.startsWith('/dashboard/') ? `${pathname}${search}` : null;
}
