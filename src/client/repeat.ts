/** Tries again, under the same key, until an answer is clear or time is up. */

import { type Classified, classify } from './classify.ts';

export type RetryOptions = {
  /** All tries of one call end within it: 2 minutes. What the key's life allows is the most. Milliseconds. */
  deadlineMs?: number;
  /** One try ends within it, and counts as unanswered: 30 s. Milliseconds. */
  tryMs?: number;
  /** Before the second try, and half of that at least: 500. It doubles with each try. Milliseconds, at most 1,000. */
  firstDelayMs?: number;
  /** The longest pause that the server has not asked for: 30 s. Milliseconds. */
  delayMsMax?: number;
  /** Ends all tries. */
  signal?: AbortSignal;
  /** Makes the key of a call that brings none: a random UUID. */
  createKey?: () => string;
  /** Told after each try. */
  onTry?: (told: Classified & { attempt: number }) => void;
};

export type Terms = Required<Omit<RetryOptions, 'signal'>> & { signal: AbortSignal | null };

/** What one try came to: a value, or what it threw. */
export type Ended<T> = { value: T } | { error: unknown };

/** One try: `attempt` counts from 1; `signal` is aborted when it takes too long. */
export type Try<T> = (attempt: number, signal: AbortSignal) => Promise<T>;

const delayMsMost = 1_000;

export function termsOf(options: RetryOptions, keyLifeMs: number): Terms {
  return {
    deadlineMs: Math.min(options.deadlineMs ?? 120_000, keyLifeMs),
    tryMs: options.tryMs ?? 30_000,
    firstDelayMs: Math.min(options.firstDelayMs ?? 500, delayMsMost),
    delayMsMax: options.delayMsMax ?? 30_000,
    signal: options.signal ?? null,
    createKey: options.createKey ?? createUuid,
    onTry: options.onTry ?? (() => {}),
  };
}

/** @returns the last try's end; with what it was taken for. Never throws. */
export async function repeat<T>(
  once: Try<T>,
  terms: Terms,
  signal: AbortSignal | null = terms.signal,
): Promise<{ ended: Ended<T>; classified: Classified }> {
  const giveUpAt = Date.now() + terms.deadlineMs;
  for (let attempt = 1; ; attempt++) {
    const ended = await tryOnce(once, attempt, Math.min(terms.tryMs, giveUpAt - Date.now()), signal);
    const classified = await classify('value' in ended ? ended.value : ended.error);
    terms.onTry({ ...classified, attempt });
    const delayMs = Math.max(classified.retryAfterMs ?? 0, backOffMs(attempt, terms));
    if (!isOpen(classified) || signal?.aborted || Date.now() + delayMs >= giveUpAt) return { ended, classified };
    await pause(delayMs, signal);
    if (signal?.aborted) return { ended, classified };
  }
}

function isOpen({ outcome }: Classified): boolean {
  return outcome === 'retry' || outcome === 'unknown';
}

/** Doubles, and is somewhere in its upper half, so that clients that failed together do not come back together. */
function backOffMs(attempt: number, { firstDelayMs, delayMsMax }: Terms): number {
  const most = Math.min(firstDelayMs * 2 ** (attempt - 1), delayMsMax);
  return most * (0.5 + Math.random() / 2);
}

/** Also what does not listen to its signal ends in time: its answer, should it come, is not waited for. */
async function tryOnce<T>(once: Try<T>, attempt: number, ms: number, signal: AbortSignal | null): Promise<Ended<T>> {
  const controller = new AbortController();
  const cut = new Promise<Ended<T>>((resolve) => {
    controller.signal.addEventListener('abort', () => resolve({ error: controller.signal.reason }));
  });
  const leave = () => controller.abort(signal?.reason);
  signal?.addEventListener('abort', leave);
  const timer = setTimeout(() => controller.abort(new DOMException('No answer came in time.', 'TimeoutError')), ms);
  const trying = once(attempt, controller.signal).then(
    (value): Ended<T> => ({ value }),
    (error: unknown): Ended<T> => ({ error }),
  );
  if (signal?.aborted) leave();
  try {
    return await Promise.race([trying, cut]);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', leave);
  }
}

function pause(ms: number, signal: AbortSignal | null): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(end, ms);
    function end(): void {
      clearTimeout(timer);
      signal?.removeEventListener('abort', end);
      resolve();
    }
    signal?.addEventListener('abort', end);
  });
}

/** Node 18 has no global crypto: what it makes then is unique, if not secret, which a key need not be. */
function createUuid(): string {
  const random = globalThis.crypto?.randomUUID?.();
  if (random) return random;
  const digits = () =>
    Math.floor((1 + Math.random()) * 2 ** 32)
      .toString(16)
      .slice(1);
  return [digits(), digits(), Date.now().toString(16), digits()].join('-');
}
