/** What a check found: what it says to a person, and whether the exit status is 1 for it. */

import { isUnavailable } from '../../core/error.ts';

export type Finding = { is: 'ok' | 'note' | 'FAIL'; text: string };

/** `of` names what is checked, where the check itself cannot say any more. */
export type Check = { of: string; find: () => Promise<Finding[]> };

export const ok = (text: string): Finding => ({ is: 'ok', text });
export const note = (text: string): Finding => ({ is: 'note', text });
export const fail = (text: string): Finding => ({ is: 'FAIL', text });

export async function found({ of, find }: Check): Promise<Finding[]> {
  try {
    return await find();
  } catch (error) {
    return [fail(`${of}: ${reasonOf(error as Error)}`)];
  }
}

/** What clients are told names no cause. */
function reasonOf(error: Error): string {
  return isUnavailable(error) && error.cause instanceof Error ? error.cause.message : error.message;
}
