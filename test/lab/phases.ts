/** One accept, one delivery, one checkpoint of the log: each brought to where it begins, so that a fault can be put in first. */

import { pause } from './load.ts';
import type { Operation } from './operation.ts';
import { type Stand, type Try, until } from './stand.ts';
import type { Injection } from './strace.ts';

/** Accept: from the request until the relay is connected to. Delivery: from the relay's greeting until all is settled. */
export type Phase = 'accept' | 'delivery' | 'checkpoint';

export type Staged = {
  /** Lets it happen; resolves with what the client was told, where it asks for something. */
  begin(): Promise<Try | null>;
  isOver(injection: Injection): boolean;
  /** Lets everything happen that was kept waiting. */
  release(): void;
};

/** The server copies the log into the file after the first commit that comes a second or more after its start. */
const checkpointDueMs = 1_100;

export function stagePhase(stand: Stand, phase: Phase, mail: Operation): Promise<Staged> {
  switch (phase) {
    case 'accept':
      return stageAccept(stand, mail);
    case 'delivery':
      return stageDelivery(stand, mail);
    case 'checkpoint':
      return stageCheckpoint(stand, mail);
    default:
      return phase satisfies never;
  }
}

async function stageAccept(stand: Stand, mail: Operation): Promise<Staged> {
  const release = stand.holdGreetings();
  const { connections } = stand.relay;
  return { begin: () => stand.try(mail), isOver: () => stand.relay.connections > connections, release };
}

async function stageDelivery(stand: Stand, mail: Operation): Promise<Staged> {
  const release = stand.holdGreetings();
  const { connections } = stand.relay;
  await stand.untilAnswered(mail);
  await until('the relay is connected to', () => stand.relay.connections > connections);
  const begin = async () => {
    release();
    return null;
  };
  return { begin, isOver: () => stand.open() === 0, release };
}

async function stageCheckpoint(stand: Stand, mail: Operation): Promise<Staged> {
  const release = stand.holdGreetings();
  await pause(checkpointDueMs);
  const begin = () => {
    release();
    return stand.try(mail);
  };
  const isSynced = new RegExp(`sync\\(\\d+<${stand.databasePath}>\\) += 0`);
  return { begin, isOver: (injection) => isSynced.test(injection.trace()) && stand.open() === 0, release };
}
