/**
 * The server as the lab runs it: `node server-main.js [VARIANT]`. With LAB_SPEED its clock, and the patience of its SMTP client,
 * run so many times faster; a variant other than `none` has a guard taken out.
 */

import assert from 'node:assert';
import { createSystemClock } from '../../src/clock.ts';
import { readConfig } from '../../src/config.ts';
import { createSmtpRelay } from '../../src/deliver/smtp.ts';
import { parseRelayUrl } from '../../src/deliver/smtp-url.ts';
import { log, startLog } from '../../src/log.ts';
import { type Outside, startServer } from '../../src/server.ts';
import { verdictWaitMs } from '../../src/store/holds.ts';
import { variantsOf } from './unguarded.ts';

const speed = Number(process.env.LAB_SPEED ?? 1);
const clock = createSystemClock({ ...fasterClock(), onJump: (deltaMs) => log.clockJumped(deltaMs) });
const variants = variantsOf(clock);
const variant = variants[process.argv[2] ?? 'none'];
assert(variant, `a variant: ${Object.keys(variants).join(', ')}`);
const config = readConfig(process.env);
startLog(config.logLevel);
const die = () => process.kill(process.pid, 'SIGKILL') as never;
const server = await startServer(config, { clock, die, ...fasterRelay(), ...variant });
// Under strace the process one has started is strace's, which passes no signal on.
console.log(`pid ${process.pid}`);
console.log(`Sendonce listens on ${server.url}`);
process.on('SIGTERM', () => void server.stop().then(() => process.exit(0)));

/** Counted from LAB_EPOCH, so that every start agrees on the time. */
function fasterClock() {
  const epoch = Number(process.env.LAB_EPOCH ?? 0);
  if (speed === 1) return {};
  return { wall: () => epoch + (Date.now() - epoch) * speed, monotonic: () => performance.now() * speed };
}

function fasterRelay(): Partial<Outside> {
  if (speed === 1 || config.relayUrl === 'capture:') return {};
  const options = { concurrency: config.relayConnections, verdictTimeoutMs: verdictWaitMs / speed };
  return { relay: createSmtpRelay({ ...parseRelayUrl(config.relayUrl), ...options }) };
}
