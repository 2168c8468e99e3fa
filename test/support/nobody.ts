/** Another user of this machine, as far as a test may become one. */

/** On Linux and the BSDs; it owns nothing. */
export const nobody = 65_534;

/** What `it` takes of a test that needs a second user: only root may become another. */
export const onlyAsRoot = {
  skip: process.getuid?.() !== 0 && 'another user is tried for real only where the tests run as root',
};

/** Runs `work`, which must be synchronous, as a user without any rights of its own. */
export function asNobody<T>(work: () => T): T {
  const groups = process.getgroups?.() ?? [];
  const group = process.getegid?.() ?? 0;
  process.setgroups?.([]);
  process.setegid?.(nobody);
  process.seteuid?.(nobody);
  try {
    return work();
  } finally {
    process.seteuid?.(0);
    process.setegid?.(group);
    process.setgroups?.(groups);
  }
}
