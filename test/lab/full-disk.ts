/** A disk that is really full: a small file system, filled to the last byte under a running server, and freed again. */

import { spawnSync } from 'node:child_process';
import { closeSync, mkdirSync, mkdtempSync, openSync, rmdirSync, rmSync, truncateSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { skippedRow } from './kill-sweep.ts';
import type { Operation } from './operation.ts';
import type { Row } from './row.ts';
import { Stand } from './stand.ts';

export type FullDiskOptions = {
  seed: number;
  onProgress?: (text: string) => void;
  /** Another program than the real one. */
  command?: string[];
  rounds?: number;
};

const fault = 'disk full';

/** Room for the database and some hundred mails; the log is never cut short, so it grows by all that is written. */
const diskBytes = 24 * 1024 * 1024;

/** Left free when the disk is filled, at most: where the end comes differs from round to round. */
const roomBytesMax = 256 * 1024;

/** More than fits into what is left. */
const mailsMax = 200;
const refusalsWanted = 5;

export async function runFullDisk(options: FullDiskOptions): Promise<Row[]> {
  const folder = mkdtempSync(join(tmpdir(), 'sendonce-disk-'));
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${diskBytes}`, 'tmpfs', folder]);
  if (mounted.status !== 0) {
    rmdirSync(folder);
    return [skippedRow(fault, 'a small file system cannot be mounted here (it takes root)')];
  }
  try {
    return [await fillAndFree(options, folder)];
  } finally {
    spawnSync('umount', ['-l', folder]);
    rmdirSync(folder);
  }
}

async function fillAndFree({ rounds = 5, ...options }: FullDiskOptions, folder: string): Promise<Row> {
  const stand = await Stand.open({ ...options, folder: join(folder, 'data') });
  mkdirSync(join(folder, 'data'));
  const ballast = join(folder, 'ballast');
  try {
    await stand.up();
    for (let round = 1; round <= rounds; round++) {
      stand.doing = `round ${round}`;
      const refusalsBefore = stand.refusals;
      fill(ballast, Math.floor(stand.random() * roomBytesMax));
      const mails = await untilRefused(stand);
      // Every second time the server has to start on the full disk, or to say that it cannot.
      if (round % 2 === 0) {
        await stand.down();
        await stand.tryUp();
      }
      rmSync(ballast);
      for (const mail of mails) await stand.recover(mail);
      const refusals = stand.refusals - refusalsBefore;
      if (refusals === 0) stand.violations.push(`round ${round}: the disk was full, and nothing was refused`);
      options.onProgress?.(
        `${fault}: round ${round}, ${mails.length} mails, ${refusals} times 503, --seed ${options.seed}`,
      );
    }
    return await stand.conclude(fault, rounds);
  } finally {
    await stand.destroy();
  }
}

/** New mails until some have been refused; all of them are to come through later. */
async function untilRefused(stand: Stand): Promise<Operation[]> {
  const mails: Operation[] = [];
  for (let refusals = 0; refusals < refusalsWanted && mails.length < mailsMax; ) {
    const mail = stand.compose();
    mails.push(mail);
    if ((await stand.try(mail)) === 'unavailable') refusals += 1;
  }
  return mails;
}

/** Takes all there is but `roomBytes`. */
function fill(path: string, roomBytes: number): void {
  const file = openSync(path, 'w');
  const block = Buffer.alloc(4096, 1);
  let written = 0;
  try {
    for (;;) written += writeSync(file, block);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
  } finally {
    closeSync(file);
  }
  truncateSync(path, Math.max(0, written - roomBytes));
}
