/** What renderer threads can do, by name. A job is a pure function of what can be copied; its author's faults are AppErrors. */

import { generateText } from './html-to-text.ts';

export const jobs = {
  /** The text part of a mail whose author wrote only html. */
  text: generateText,
};

export type Jobs = typeof jobs;
export type JobName = keyof Jobs;
export type Input<Name extends JobName> = Parameters<Jobs[Name]>[0];
export type Output<Name extends JobName> = Awaited<ReturnType<Jobs[Name]>>;
