/** The door for what watches the server: /healthz and /metrics, without a key. */

import type { Metrics } from '../metrics.ts';
import type { Door } from './app.ts';

export type Health = () => Promise<{ status: 'ok' | 'unavailable' } & Record<string, unknown>>;

export function watchDoor(health: Health, metrics: Metrics): Door {
  return (app) => {
    app.get('/healthz', async (context) => {
      const answer = await health();
      return context.json(answer, answer.status === 'ok' ? 200 : 503);
    });
    app.get('/metrics', async (context) =>
      context.body(await metrics.render(), 200, { 'content-type': metrics.contentType }),
    );
  };
}
