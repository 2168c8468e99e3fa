/** What /metrics says of deliveries that are not settled. */

const states = ['queued', 'sending', 'handoff', 'in_doubt'] as const;

/** False also where the server was too busy to count, and shows no count. */
export function noneOpen(metrics: string, of: readonly (typeof states)[number][] = states): boolean {
  return of.every((state) => metrics.includes(`\nsendonce_open_deliveries{state="${state}"} 0\n`));
}
