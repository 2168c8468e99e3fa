/** What `sendonce doctor` says of the machine: room on the disk, and who may open our files. */

import { existsSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import type { Config } from '../../config/config.ts';
import { findOpenings, mayBeReplaced, writeMode } from '../../process/own-files.ts';
import { problemOfStateDir } from '../../process/state-dir.ts';
import { type Finding, fail } from './finding.ts';

/** Under this the next burst of attachments may fill the disk. */
const freeBytesMin = 500 * 1024 * 1024;

/** Where PostgreSQL keeps its files is not for us to see: the witness is all we write then. */
export async function checkDisk(wanted: string): Promise<Finding[]> {
  const { bavail, bsize } = await statfs(existsSync(wanted) ? wanted : '.');
  const free = bavail * bsize;
  const text = `${Math.round(free / 1024 / 1024)} MB free for the database in ${wanted}`;
  if (free >= freeBytesMin) return [{ is: 'ok', text }];
  const next = 'make room, or move it: when the disk is full nothing is accepted any more, and nothing is lost';
  return [{ is: 'FAIL', text: `${text}: ${next}` }];
}

/** What others may open of ours, and the folders that are not ours to close. */
export function checkFiles(config: Config): Finding[] {
  const problem = problemOfStateDir(config.stateDir);
  if (problem !== null) return [fail(problem)];
  const { ours, shared } = findOpenings(config);
  const open = ours.map(({ path, mode }): Finding => {
    const text = `${path} is open to other users (mode ${writeMode(mode)}): the next start closes it, or chmod go= ${path}`;
    return { is: 'FAIL', text };
  });
  const folders = shared.map((folder): Finding => {
    const what = `${folder.path} (mode ${writeMode(folder.mode)}) is not for Sendonce alone and stays as it is`;
    if (!mayBeReplaced(folder)) return { is: 'note', text: `${what}; a folder of its own would be closed to others` };
    return { is: 'FAIL', text: `${what}: others could replace the files in it. Give it a folder of its own` };
  });
  return [...(open.length === 0 ? [filesAreClosed] : []), ...open, ...folders];
}

const filesAreClosed: Finding = { is: 'ok', text: 'no other user of this machine can open its files' };
