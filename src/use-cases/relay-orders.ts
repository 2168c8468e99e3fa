/** What an operator wants of a relay: to send nothing more to it, to go on, or to ask it again now. */

import type { Clock } from '../core/clock.ts';
import type { Database } from '../store/database.ts';
import { orderPause, orderRetry } from '../store/relays.ts';

export type RelayOrders = {
  /** What is under way still ends; mail takes another relay of its route, or waits. */
  pause(relay: string): Promise<void>;
  resume(relay: string): Promise<void>;
  /** What waits for nothing but this relay is sent as soon as it can be reached, which is found out now. */
  retry(relay: string): Promise<void>;
};

/** Processes that send hear of it within a second, or at once where `onOrdered` tells them. */
export function createRelayOrders(database: Database, clock: Pick<Clock, 'now'>, onOrdered: () => void): RelayOrders {
  async function order(write: Parameters<Database['write']>[0]): Promise<void> {
    await database.write(write);
    onOrdered();
  }
  return {
    pause: (relay) => order((tx) => orderPause(tx, relay, clock.now())),
    resume: (relay) => order((tx) => orderPause(tx, relay, null)),
    retry: (relay) => order((tx) => orderRetry(tx, relay, clock.now())),
  };
}
