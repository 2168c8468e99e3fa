/** The door for what watches the server: /healthz and /metrics, which tell strangers as little as a probe needs. */

import { timingSafeEqual } from 'node:crypto';
import { hashToken } from '../core/token.ts';
import type { Metrics } from '../metrics.ts';
import type { Door } from './app.ts';
import type { HttpContext } from './call.ts';

export type Health = () => Promise<{ status: 'ok' | 'unavailable' } & Record<string, unknown>>;

/** `token`: METRICS_TOKEN. Without one /metrics is for everybody, and nobody is told more by /healthz than a probe. */
export function watchDoor(health: Health, metrics: Metrics, token: string | null): Door {
  const isKnown = createTokenCheck(token);
  return (app) => {
    app.get('/healthz', async (context) => {
      const answer = await health();
      const shown = isKnown(context) ? answer : { status: answer.status };
      return context.json(shown, answer.status === 'ok' ? 200 : 503);
    });
    app.get('/metrics', async (context) => {
      const text = token === null || isKnown(context) ? metrics.render() : metrics.renderUp();
      return context.body(await text, 200, { 'content-type': metrics.contentType });
    });
  };
}

/** As Prometheus sends it: `Authorization: Bearer …`. */
function createTokenCheck(token: string | null): (context: HttpContext) => boolean {
  if (token === null) return () => false;
  const expected = hashToken(token);
  return (context) => {
    const given = /^bearer +(.+)$/i.exec(context.env.incoming.headers.authorization ?? '')?.[1] ?? '';
    return timingSafeEqual(hashToken(given.trim()), expected);
  };
}
