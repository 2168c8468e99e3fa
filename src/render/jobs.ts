/** What renderer threads can do, by name. A job is a pure function of what can be copied; its author's faults are AppErrors. */

import { readReport } from '../evidence/read-report.ts';
import { readEnglishDate } from './english-date.ts';
import { generateText } from './html-to-text.ts';
import { readMail, readMailFile } from './read-mail.ts';
import { readReceivedTexts } from './read-received.ts';
import { checkTemplate, fill } from './template/fill.ts';
import { fillPlaceholders } from './template/placeholders.ts';

export const jobs = {
  /** The text part of a mail whose author wrote only html. */
  text: generateText,
  /** The moment that a date in words means, in epoch milliseconds. */
  englishDate: readEnglishDate,
  /** One version of a request in Brevo's template language. */
  fill,
  /** Whether that language can read a template. */
  checkTemplate,
  /** The texts of one email of Resend's templates and broadcasts. */
  fillPlaceholders,
  /** What a mail that came back says. */
  report: readReport,
  /** What a client wrote as a whole mail. */
  mail: readMail,
  /** One of its files. */
  mailFile: readMailFile,
  /** The texts of a mail that came here, its pictures in them. */
  receivedTexts: readReceivedTexts,
};

export type Jobs = typeof jobs;
export type JobName = keyof Jobs;
export type Input<Name extends JobName> = Parameters<Jobs[Name]>[0];
export type Output<Name extends JobName> = Awaited<ReturnType<Jobs[Name]>>;
