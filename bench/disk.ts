/** How long this disk takes to make a small write durable, at the time of the run: what every commit waits for. */

import { closeSync, fdatasyncSync, openSync, statfsSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { quantile } from './rounds.ts';

export type Disk = { syncP50Ms: number; syncP99Ms: number; isMemory: boolean };

const writes = 200;
/** statfs(2). */
const tmpfsMagic = 0x01021994;

export function measureDisk(folder: string): Disk {
  const file = openSync(join(folder, 'fdatasync'), 'w');
  const page = Buffer.alloc(4096, 1);
  const tookMs = Float64Array.from({ length: writes }, () => {
    writeSync(file, page);
    const startedAt = performance.now();
    fdatasyncSync(file);
    return performance.now() - startedAt;
  }).sort();
  closeSync(file);
  return {
    syncP50Ms: quantile(tookMs, 0.5),
    syncP99Ms: quantile(tookMs, 0.99),
    isMemory: statfsSync(folder).type === tmpfsMagic,
  };
}
