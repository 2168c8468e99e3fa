/** What comes back to the bounce domain: taken from anybody for an address that carries our MAC, and for the one of complaints. */

import { AppError } from '../core/error.ts';
import type { ReturnPaths } from '../core/return-path.ts';
import type { Renderer } from '../render/renderer.ts';
import { readReportIn } from '../render/report-reading.ts';
import type { TakeReport } from '../use-cases/take-report.ts';
import type { Intake } from './intake.ts';

export type NoticeIntakeOptions = {
  returnPaths: Pick<ReturnPaths, 'domain' | 'readAddress'>;
  takeReport: TakeReport;
  renderer: Pick<Renderer, 'openLater'>;
};

/** Some bounces bring the whole mail back, and some words. */
const bytesMax = 64 * 1024 * 1024;

/** Where feedback loops are told to send their reports. */
const complaints = 'complaints';

export function createNoticeIntake({ returnPaths, takeReport, renderer }: NoticeIntakeOptions): Intake {
  return {
    bytesMax,
    takes(recipient) {
      const at = recipient.lastIndexOf('@');
      if (returnPaths.domain === null || recipient.slice(at + 1).toLowerCase() !== returnPaths.domain) return false;
      if (recipient.slice(0, at).toLowerCase() === complaints || returnPaths.readAddress(recipient)) return true;
      throw new AppError('not_found', 'There is no such mailbox here.');
    },
    async receive({ to }, { bytes }) {
      const report = await readReportIn(renderer, bytes);
      // One copy came for each of them.
      for (const recipient of to) await takeReport(report, { by: 'listener', recipient, bytes });
      return '2.0.0 taken';
    },
  };
}
