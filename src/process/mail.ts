/** The listeners for mail that the settings ask for, and who takes what comes to them. */

import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import type { Config } from '../config/config.ts';
import type { ReturnPaths } from '../core/return-path.ts';
import { createIdSource } from '../core/token.ts';
import type { Intake } from '../listen/intake.ts';
import type { MailListener } from '../listen/mail-listener.ts';
import { createNoticeIntake } from '../listen/notices.ts';
import { createReceivedIntake } from '../listen/received/intake.ts';
import { createSubmission, type SubmissionParts } from '../listen/submission/intake.ts';
import { submissionLimits } from '../listen/submission/limits.ts';
import type { Metrics } from '../metrics.ts';
import type { Renderer } from '../render/renderer.ts';
import { createReceiveMail } from '../use-cases/receive-mail.ts';
import {
  createTakeReport,
  type TakenReport,
  type TakeReport,
  type TakeReportOptions,
} from '../use-cases/take-report.ts';

export type NoticeParts = Pick<TakeReportOptions, 'database' | 'clock'> & {
  returnPaths: ReturnPaths;
  renderer: Renderer;
  metrics: Pick<Metrics, 'noticed'>;
  /** Webhooks are to be told. */
  onQueued: () => void;
};

/** What speaks SMTP is loaded where somebody listens: it takes some 10 MB. */
export async function createMailListeners(
  config: Config,
  parts: SubmissionParts,
  notices: NoticeParts,
): Promise<MailListener[]> {
  const { plain, secure, tls } = config.mail;
  if (!plain && !secure) return [];
  const { MailListener } = await import('../listen/mail-listener.ts');
  const name = nameOf(config);
  const shared = {
    ...parts,
    name,
    tls,
    // Whoever signs in may write to the bounce domain, too: it is no other mail there.
    intakes: [...noticeIntakes(notices), createSubmission({ ...parts, name }), receivedIntake(config, notices)],
    bytesMax: submissionLimits.mailBytesMax,
    recipientsMax: submissionLimits.recipientsMax,
  };
  const listeners = [plain && { ...plain, isSecure: false }, secure && { ...secure, isSecure: true }];
  return listeners.flatMap((one) => (one ? new MailListener({ ...shared, ...one }) : []));
}

function noticeIntakes(parts: NoticeParts): Intake[] {
  if (parts.returnPaths.domain === null) return [];
  return [createNoticeIntake({ ...parts, takeReport: takeReportOf(parts) })];
}

/** However a notice comes: it is counted, and webhooks are told soon. */
export function takeReportOf(parts: Omit<NoticeParts, 'renderer'>): TakeReport {
  const onTaken = (taken: TakenReport) => {
    parts.metrics.noticed(taken);
    parts.onQueued();
  };
  return createTakeReport({ ...parts, onTaken });
}

function receivedIntake(config: Config, { database, clock, renderer, onQueued }: NoticeParts): Intake {
  const nextId = createIdSource(randomBytes);
  const domains = config.receivingDomains;
  const receiving = createReceiveMail({ database, clock, nextId, domains, onTaken: onQueued });
  return createReceivedIntake({ receiving, renderer, name: nameOf(config) });
}

/** Where mail for domains is to be sent; null: nobody listens for it. */
export function mailHostOf(config: Config): string | null {
  const { plain, secure } = config.mail;
  return plain || secure ? nameOf(config) : null;
}

/** As others know this server: in its greeting, and in the trace of what it takes. */
function nameOf({ publicUrl }: Config): string {
  const name = publicUrl === null ? hostname() : new URL(publicUrl).hostname;
  return /^[\w.-]{1,253}$/.test(name) ? name : 'localhost';
}
