/** The API of a service that an account moves from: asked gently, and again where it says so. */

import { setTimeout as wait } from 'node:timers/promises';
import { CommandError } from '../terminal.ts';

/** Answers the members of what came. @throws CommandError where it refuses. */
export type Source = (path: string) => Promise<Record<string, unknown>>;

const triesMax = 8;
const timeoutMs = 30_000;

export function createSource(base: string, headers: Record<string, string>): Source {
  return async (path) => {
    for (let tries = 1; ; tries += 1) {
      const answer = await ask(`${base}${path}`, headers);
      if (answer?.ok) return (await answer.json()) as Record<string, unknown>;
      const mayAgain = answer === null || answer.status === 429 || answer.status >= 500;
      if (!mayAgain || tries === triesMax) {
        const said =
          answer === null ? 'cannot be reached' : `answers ${answer.status}: ${(await answer.text()).slice(0, 300)}`;
        throw new CommandError(`${base}${path} ${said}. What was taken stays: run this again to go on.`);
      }
      const seconds = Number(answer?.headers.get('retry-after') ?? 0) || Math.min(2 ** (tries - 1), 30);
      await wait(seconds * 1_000);
    }
  };
}

async function ask(url: string, headers: Record<string, string>): Promise<Response | null> {
  try {
    return await fetch(url, {
      headers: { ...headers, 'user-agent': 'sendonce-import' },
      // A key goes to nobody but whom it was given for.
      redirect: 'error',
      signal: AbortSignal.timeout(timeoutMs),
    });
  } catch {
    return null;
  }
}

export type Item = Record<string, unknown>;

export function itemsOf(value: unknown): Item[] {
  return Array.isArray(value) ? (value as Item[]) : [];
}

export function textOf(value: unknown): string | null {
  return typeof value === 'string' && value !== '' ? value : null;
}
