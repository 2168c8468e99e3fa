/** What to say to who asks for a path or a method there is not: mostly it is nearly one there is. */

import type { Hono } from 'hono';
import { distanceOf, isNear } from '../core/spelling.ts';
import type { Bindings } from './call.ts';
import { type TakenRoute, takenRoutes } from './route-table.ts';

type Known = { method: string; parts: string[] };

export type Nowhere = {
  /** A sentence on a path that is not there; null where nothing like it is. */
  onPath(method: string, path: string): string | null;
  /** A sentence on a path that is there for other methods: `allowed`, as the header has them. */
  onMethod(method: string, path: string, allowed: string | undefined): string | null;
};

/** Longer ones are nobody's typing mistake. */
const pathCharsMax = 300;

/** Where SDKs of the first months post to: nobody is sent there. */
const aliases = ['/email'];

/** Knows the routes that the app has when it is first asked. */
export function createNowhere(app: Hono<Bindings>): Nowhere {
  let routes: Known[] | null = null;
  const known = () => {
    routes ??= takenRoutes(app)
      .filter(isShown)
      .map(({ method, path }) => ({ method, parts: path.split('/').slice(1) }));
    return routes;
  };
  return {
    onPath: (method, path) => (path.length > pathCharsMax ? null : onPath(known(), method, path)),
    onMethod(method, path, allowed) {
      const other = path.length > pathCharsMax ? null : nearest(known(), method, path);
      const here = allowed ? `Allowed here: ${allowed}.` : null;
      return other === null ? here : `${here ? `${here} ` : ''}${method} is taken by ${other}.`;
    },
  };
}

/** Nothing that stands for every path below it. */
function isShown({ path }: TakenRoute): boolean {
  return !path.includes('*') && !aliases.includes(path);
}

function onPath(known: readonly Known[], method: string, path: string): string | null {
  const tidy = `/${path.split('/').filter(Boolean).join('/')}`;
  if (tidy !== path && isThere(known, tidy)) {
    const what = path.includes('//') ? 'has a doubled slash' : 'ends with a slash';
    return `This path ${what}: ask ${tidy}. A base URL has no slash at its end.`;
  }
  const inside = withoutPrefix(known, tidy);
  const meant = inside ?? nearest(known, method, tidy) ?? nearest(known, null, tidy);
  return meant === null ? 'GET /openapi.json lists those that do, and /docs says more.' : `Did you mean ${meant}?`;
}

function isThere(known: readonly Known[], path: string): boolean {
  const parts = path.split('/').slice(1);
  return known.some((one) => distance(one.parts, parts) === 0);
}

/** `/api/emails` and `/v1/emails` mean ours. */
function withoutPrefix(known: readonly Known[], path: string): string | null {
  const [, ...rest] = path.split('/').slice(1);
  const shorter = `/${rest.join('/')}`;
  const isWhole =
    rest.length > 0 && known.some(({ parts }) => !parts.some(isParameter) && `/${parts.join('/')}` === shorter);
  return isWhole ? shorter : null;
}

/** With what was given in the place of parameters; `method`: null for any. */
function nearest(known: readonly Known[], method: string | null, path: string): string | null {
  const given = path.split('/').slice(1);
  let best: { parts: string[]; away: number } | null = null;
  for (const { method: taken, parts } of known) {
    if (method !== null && taken !== method) continue;
    const away = distance(parts, given);
    if (away > 0 && away < (best?.away ?? Number.POSITIVE_INFINITY)) best = { parts, away };
  }
  if (best === null) return null;
  return `/${best.parts.map((part, index) => (isParameter(part) ? given[index] : part)).join('/')}`;
}

/** Letters that differ in all parts together; infinite where one part is another word. */
function distance(parts: readonly string[], given: readonly string[]): number {
  if (parts.length !== given.length) return Number.POSITIVE_INFINITY;
  let sum = 0;
  for (const [index, part] of parts.entries()) {
    const word = given[index] ?? '';
    if (isParameter(part) ? word !== '' : part === word) continue;
    // Another case is a difference, and the smallest.
    const letters = Math.max(1, distanceOf(word.toLowerCase(), part.toLowerCase()));
    if (isParameter(part) || !isNear(part, letters)) return Number.POSITIVE_INFINITY;
    sum += letters;
  }
  return sum;
}

function isParameter(part: string): boolean {
  return part.startsWith(':');
}
