/** Reading what came back: at once where it is small, in a renderer thread where it is not. */

import { AppError } from '../core/error.ts';
import type { Report } from '../core/notice.ts';
import { readReport, reportBytesMax } from '../evidence/read-report.ts';
import type { Renderer } from './renderer.ts';

/** At its worst such a mail takes a few milliseconds. */
const atOnceBytesMax = 16 * 1024;

/** Null: it cannot be read. @throws AppError `unavailable` where no thread is free: it is to be brought again. */
export async function readReportIn(renderer: Pick<Renderer, 'openLater'>, mail: Uint8Array): Promise<Report | null> {
  if (mail.length <= atOnceBytesMax) return readReport(mail);
  const [read] = await renderer.openLater('notices').run('report', [mail.slice(0, reportBytesMax)]);
  if (read?.kind === 'cut' && read.reason === 'busy') {
    throw new AppError('unavailable', 'This server is too busy to read it. Please bring it again in a moment.');
  }
  return read?.kind === 'made' ? read.value : null;
}
