/** Asking what may never answer: with a limit, and never twice at a time. */

/**
 * Null where there is no answer after `ms`. Who asks meanwhile shares the question: nobody can make a database that is down, or
 * locked, be asked more and more.
 */
export function patiently<T>(ms: number, ask: () => Promise<T>): () => Promise<T | null> {
  let asked: Promise<T | null> | null = null;
  return () => {
    asked ??= within(ms, ask()).finally(() => {
      asked = null;
    });
    return asked;
  };
}

async function within<T>(ms: number, answer: Promise<T>): Promise<T | null> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<null>((resolve) => {
    timer = setTimeout(() => resolve(null), ms);
  });
  try {
    return await Promise.race([answer, late]);
  } finally {
    clearTimeout(timer);
  }
}
