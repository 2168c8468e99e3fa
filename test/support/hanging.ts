/** A server that stands still for ever over some mail: at a moment of its attempt, with its whole thread or waiting for what never comes. */

import { joined } from '../../src/core/pieces.ts';
import type { Relay } from '../../src/deliver/relay.ts';
import type { Database } from '../../src/store/database.ts';
import { replyOf } from './reply.ts';

/** The subject of a mail that a server stands still over. */
export const hangs = 'HANG';

/** Told when it stands still. It must not return where the thread is to stand still. */
export type Stop = () => Promise<never>;

/** Over the reading of such a mail by the worker. */
export function hangingDatabase(own: Database, stop: Stop): Database {
  return {
    engine: own.engine,
    async all<R>(sql: string, ...params: Parameters<Database['all']>[1][]): Promise<R[]> {
      const rows = await own.all<R>(sql, ...params);
      if (sql.includes('coalesce(length(html), 0)') && JSON.stringify(rows).includes(hangs)) return stop();
      return rows;
    },
    write: (work, terms) => own.write(work, terms),
    report: (sql, ...params) => own.report(sql, ...params),
    wall: () => own.wall(),
    announce: () => own.announce(),
    onAnnounced: (listener) => own.onAnnounced(listener),
    emptyLog: () => own.emptyLog(),
    close: () => own.close(),
  };
}

/** Takes every mail but such ones; without a stop every one. */
export function hangingRelay(stop: Stop | null): Relay {
  return {
    name: 'hanging',
    concurrency: 10,
    async ship({ envelope, pieces }, gate) {
      if (stop && joined(pieces).includes(hangs)) return stop();
      const isOpen = await gate({ accepted: envelope.to, refused: [] });
      return isOpen ? { phase: 'verdict', reply: replyOf('250 ok') } : { phase: 'fenced' };
    },
    async close() {},
  };
}
