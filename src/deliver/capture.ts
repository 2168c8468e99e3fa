/** The relay of a laptop: mail is kept and shown, nothing leaves. */

import { noReply, type Reply } from '../core/reply.ts';
import type { Relay } from './relay.ts';

/** Nothing is waited for but the database: more at once only makes larger groups. */
const concurrency = 20;

const captured: Reply = {
  text: 'captured: kept here, nothing left',
  said: { class: 'ok', code: null, enhanced: null, captured: true },
};

export function createCapture(): Relay {
  return {
    name: 'capture',
    concurrency,
    async ship({ envelope }, gate) {
      try {
        const opened = await gate({ accepted: envelope.to, refused: [] });
        return opened ? { phase: 'verdict', reply: captured, isDelivered: true } : { phase: 'fenced' };
      } catch (error) {
        return { phase: 'unreached', reply: noReply(`The hand-off could not be recorded: ${String(error)}`, null) };
      }
    },
    async close() {},
  };
}
