/** Memory that a large request leaves behind, given back before the next one needs it. */

import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** From here on a body is worth a collection (some 20 ms): its text, and what it was parsed to, are each as large as all else. */
const worthBytes = 16 * 1024 * 1024;

let collect: (() => void) | null = null;

/**
 * V8 lets a heap grow to a multiple of what lives in it before it collects: left to itself, one of the largest requests would
 * begin on top of what two before it have left. Does nothing for what is small.
 */
export function collectAfter(bytes: number): void {
  if (bytes < worthBytes) return;
  if (!collect) {
    setFlagsFromString('--expose-gc');
    collect = runInNewContext('gc') as () => void;
  }
  collect();
}
