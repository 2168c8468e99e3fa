/** Loaded into the program under test before its own code: tells its parent how late its event loop is. */

import { monitorEventLoopDelay } from 'node:perf_hooks';

const resolutionMs = 2;

const delays = monitorEventLoopDelay({ resolution: resolutionMs });
delays.enable();
process.on('message', () => {
  // What is measured is the time between two of its timers.
  process.send?.(Math.max(0, delays.percentile(99) / 1e6 - resolutionMs));
  delays.reset();
});
process.on('disconnect', () => process.exit());
// By itself it keeps no program alive.
process.channel?.unref();
