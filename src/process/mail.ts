/** The listeners for mail that the settings ask for, and who takes what comes to them. */

import { hostname } from 'node:os';
import type { Config } from '../config/config.ts';
import { MailListener } from '../listen/mail-listener.ts';
import { createSubmission, type SubmissionParts } from '../listen/submission/intake.ts';
import { submissionLimits } from '../listen/submission/limits.ts';

export function createMailListeners(config: Config, parts: SubmissionParts): MailListener[] {
  const { plain, secure, tls } = config.mail;
  const name = nameOf(config);
  const shared = {
    ...parts,
    name,
    tls,
    intakes: [createSubmission({ ...parts, name })],
    bytesMax: submissionLimits.mailBytesMax,
    recipientsMax: submissionLimits.recipientsMax,
  };
  const listeners = [plain && { ...plain, isSecure: false }, secure && { ...secure, isSecure: true }];
  return listeners.flatMap((one) => (one ? new MailListener({ ...shared, ...one }) : []));
}

/** As others know this server: in its greeting, and in the trace of what it takes. */
function nameOf({ publicUrl }: Config): string {
  const name = publicUrl === null ? hostname() : new URL(publicUrl).hostname;
  return /^[\w.-]{1,253}$/.test(name) ? name : 'localhost';
}
