/** The young part of V8's heap: left to itself it has grown to 33 MB by the time the program is loaded, and a server that idles keeps that. */

import { setFlagsFromString } from 'node:v8';

/** How often it is looked whether there is something to do, and for how many looks in a row. */
const lookMs = 1_000;
const looksBusy = 2;
/** Of its time: with more to do a server is better off collecting more rarely. */
const busyFrom = 0.2;

/** V8 says so on stderr where it does not know a flag, and nobody has seen whether later ones know this one. */
const nodeMajorMax = 24;

/** Keeps it as small as it is. */
export function holdYoungHeap(): void {
  growBy(1);
}

/** Lets it grow once there is something to do. */
export function growYoungHeapWhenBusy(): void {
  let busy = 0;
  let since = performance.eventLoopUtilization();
  const look = setInterval(() => {
    const { utilization } = performance.eventLoopUtilization(since);
    since = performance.eventLoopUtilization();
    busy = utilization < busyFrom ? 0 : busy + 1;
    if (busy < looksBusy) return;
    clearInterval(look);
    growBy(2);
  }, lookMs).unref();
}

/** Each time much of it survives a collection; 2 is V8's own. */
function growBy(factor: 1 | 2): void {
  if (Number.parseInt(process.versions.node, 10) > nodeMajorMax) return;
  setFlagsFromString(`--semi-space-growth-factor=${factor}`);
}
