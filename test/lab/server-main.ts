/**
 * The server as the lab runs it: `node server-main.js [VARIANT]`. With LAB_SPEED its clock, and the patience of its SMTP client,
 * run so many times faster; a variant other than the first has a guard taken out, which nobody may have.
 */

import { createSystemClock } from '../../src/clock.ts';
import { readConfig } from '../../src/config.ts';
import { createSmtpRelay } from '../../src/deliver/smtp.ts';
import { parseRelayUrl } from '../../src/deliver/smtp-url.ts';
import { log, startLog } from '../../src/log.ts';
import { type Outside, startServer } from '../../src/server.ts';
import type { Database } from '../../src/store/database.ts';
import { verdictWaitMs } from '../../src/store/holds.ts';
import { type Bend, bendDatabase, handoffsAreQueuedAgain } from '../support/bent-database.ts';

/** What has no verdict is tried again, as if nothing had left. */
const doubtIsQueued: Bend = {
  when: `state = 'in_doubt', worker = null, run_at = ?`,
  replace: `state = 'queued', worker = null, run_at = 0 * ?`,
};

/** What a dead process had claimed is given up. */
const claimsAreForgotten: Bend = {
  when: `set state = 'queued', attempt = attempt + 1, worker = null, run_at = ?`,
  replace: `set state = 'failed', attempt = attempt + 1, worker = null, run_at = ?`,
};

/** Resolves before COMMIT, and takes its time for that. */
function answersEarly(own: Database): Database {
  const early: Database['write'] = (work) =>
    new Promise((resolve, reject) => {
      const committed = own.write(async (tx) => {
        const value = await work(tx);
        resolve(value);
        await new Promise((wake) => setTimeout(wake, 20));
        return value;
      });
      committed.catch(reject);
    });
  return {
    engine: own.engine,
    all: own.all.bind(own),
    report: own.report.bind(own),
    wall: () => own.wall(),
    announce: () => own.announce(),
    onAnnounced: (listener) => own.onAnnounced(listener),
    close: () => own.close(),
    write: early,
  };
}

const variants: Record<string, Partial<Outside>> = {
  FULL: {},
  NORMAL: { synchronous: 'NORMAL' },
  'sends-again': { database: (own) => bendDatabase(own, [handoffsAreQueuedAgain]) },
  'retries-doubt': { database: (own) => bendDatabase(own, [doubtIsQueued]) },
  'forgets-claims': { database: (own) => bendDatabase(own, [claimsAreForgotten]) },
  'answers-early': { database: answersEarly },
};

const config = readConfig(process.env);
startLog(config.logLevel);
const server = await startServer(config, {
  clock: createSystemClock({ ...fasterClock(), onJump: (deltaMs) => log.clockJumped(deltaMs) }),
  die: () => process.exit(1),
  ...fasterRelay(),
  ...variants[process.argv[2] ?? 'FULL'],
});
// Under strace the process one has started is strace's, which passes no signal on.
console.log(`pid ${process.pid}`);
console.log(`Sendonce listens on ${server.url}`);
process.on('SIGTERM', () => void server.stop().then(() => process.exit(0)));

function speed(): number {
  return Number(process.env.LAB_SPEED ?? 1);
}

/** Counted from LAB_EPOCH, so that every start agrees on the time. */
function fasterClock() {
  const epoch = Number(process.env.LAB_EPOCH ?? 0);
  const factor = speed();
  if (factor === 1) return {};
  return {
    wall: () => epoch + (Date.now() - epoch) * factor,
    monotonic: () => performance.now() * factor,
  };
}

function fasterRelay(): Partial<Outside> {
  if (speed() === 1 || config.relayUrl === 'capture:') return {};
  const verdictTimeoutMs = verdictWaitMs / speed();
  return {
    relay: createSmtpRelay({
      ...parseRelayUrl(config.relayUrl),
      concurrency: config.relayConnections,
      verdictTimeoutMs,
    }),
  };
}
