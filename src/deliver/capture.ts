/** The relay of a laptop: mail is kept and shown, nothing leaves. */

import type { Relay } from './relay.ts';

/** Nothing is waited for but the database: more at once only makes larger groups. */
const concurrency = 20;

export function createCapture(): Relay {
  return {
    name: 'capture',
    concurrency,
    async ship({ envelope }, gate) {
      try {
        const opened = await gate({ accepted: envelope.to, bounced: [], deferred: [] });
        return opened ? { kind: 'delivered', reply: 'captured: kept here, nothing left' } : { kind: 'fenced' };
      } catch (error) {
        return { kind: 'unreached', reason: `The hand-off could not be recorded: ${String(error)}` };
      }
    },
    async close() {},
  };
}
