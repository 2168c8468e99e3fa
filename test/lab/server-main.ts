/**
 * The server as the lab runs it: `node server-main.js [VARIANT]`. With LAB_SPEED its clock runs so many times faster, its chores
 * come every LAB_CHORES_MS, and its SMTP client waits for a verdict for seconds; a variant other than `none` has a guard taken out.
 */

import assert from 'node:assert';
import { createSystemClock, type SystemClock } from '../../src/clock.ts';
import { readConfig } from '../../src/config/config.ts';
import { log, startLog } from '../../src/log.ts';
import { startServer } from '../../src/server.ts';
import { moveOnLate } from './moves-on-late.ts';
import { variantsOf } from './unguarded.ts';

/** Ten minutes of the lab's fastest clock; less than those of its slower ones. */
const verdictTimeoutMs = 3_000;

const speed = Number(process.env.LAB_SPEED ?? 1);
const variants = variantsOf(createClock);
const variant = variants[process.argv[2] ?? 'none'];
if (process.argv[2] === 'moves-on-late') moveOnLate();
assert(variant, `a variant: ${Object.keys(variants).join(', ')}`);
const config = readConfig(process.env, process.env);
startLog(config.logLevel);
const die = () => process.kill(process.pid, 'SIGKILL') as never;
const choresEveryMs = Number(process.env.LAB_CHORES_MS ?? 1_000);
const faster = speed === 1 ? {} : { verdictTimeoutMs };
const server = await startServer(config, { clock: createClock, choresEveryMs, die, ...faster, ...variant });
// Under strace the process one has started is strace's, which passes no signal on.
console.log(`pid ${process.pid}`);
console.log(`Sendonce listens on ${server.url}`);
process.on('SIGTERM', () => void server.stop().then(() => process.exit(0)));

/** Counted from LAB_EPOCH, so that every start and every process agrees on the time. */
function createClock(wall: () => number): SystemClock {
  const onJump = (deltaMs: number) => log.clockJumped(deltaMs);
  if (speed === 1) return createSystemClock({ wall, onJump });
  const epoch = Number(process.env.LAB_EPOCH ?? 0);
  const faster = { wall: () => epoch + (wall() - epoch) * speed, monotonic: () => performance.now() * speed };
  return createSystemClock({ ...faster, onJump });
}
