/**
 * `node hanging-server.js read|silent|well [EDGE]`: a server that stands still over mail whose subject says so, while it reads it; or
 * whose relay is silent, and which lives on; or neither. The edge counts nothing. Prints its URL, and when it stands still or waits.
 */

import { createSystemClock } from '../../src/clock.ts';
import { readConfig } from '../../src/config/config.ts';
import type { EdgeName } from '../../src/core/delivery.ts';
import { startServer } from '../../src/server.ts';
import { bendDatabase, bendEdge } from '../support/bent-database.ts';
import { hangingDatabase, hangingRelay, type Stop } from '../support/hanging.ts';

const [moment, control] = process.argv.slice(2) as [string, EdgeName | undefined];

const spin: Stop = async () => {
  process.stdout.write('stands still\n');
  // The line leaves first, and what has just been accepted is answered.
  await new Promise((resolve) => setTimeout(resolve, 100));
  for (;;);
};

const wait: Stop = () => {
  process.stdout.write('waits\n');
  return new Promise(() => {});
};

const { url } = await startServer(readConfig(process.env), {
  clock: (wall) => createSystemClock({ wall }),
  die: () => process.exit(1),
  database: (own) => {
    const bent = control ? bendDatabase(own, [bendEdge(control, { counts: {} })]) : own;
    return moment === 'read' ? hangingDatabase(bent, spin) : bent;
  },
  relay: hangingRelay(moment === 'silent' ? wait : null),
});
process.stdout.write(`${url}\n`);
