/** What works of one commit add to rows of numbers, summed up: each row is written once a commit, not once a work. */

import type { SqlValue, Transaction } from '../database.ts';

type Sum = { sql: string; key: readonly SqlValue[]; amounts: number[] };

export class Sums {
  readonly #sums = new Map<string, Sum>();

  readonly add: Transaction['add'] = (sql, key, amounts) => {
    const name = `${key.join('\0')}\0${sql}`;
    const sum = this.#sums.get(name);
    if (!sum) this.#sums.set(name, { sql, key, amounts: [...amounts] });
    else for (const [index, amount] of amounts.entries()) sum.amounts[index] = (sum.amounts[index] ?? 0) + amount;
  };

  /** Takes those of a work that is part of the commit. */
  addAll(others: Sums): void {
    for (const { sql, key, amounts } of others.#sums.values()) this.add(sql, key, amounts);
  }

  /** The statements, in the order in which all commits write them; what came to nothing is left out. */
  statements(): [sql: string, params: SqlValue[]][] {
    return [...this.#sums]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .filter(([, { amounts }]) => amounts.some((amount) => amount !== 0))
      .map(([, { sql, key, amounts }]) => [sql, [...key, ...amounts]]);
  }
}
