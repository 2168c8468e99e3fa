/** What works of one commit add to rows of numbers, summed up: each row is written once a commit, not once a work. */

import type { SqlValue, Transaction } from '../database.ts';

type Sum = { name: string; sql: string; key: readonly SqlValue[]; amounts: number[] };

export class Sums {
  /** By statement and then by key: put together they were a long text to be hashed each time. */
  readonly #sums = new Map<string, Map<string, Sum>>();

  readonly add: Transaction['add'] = (sql, key, amounts) => {
    const name = key.join('\0');
    const same = this.#sums.get(sql) ?? new Map<string, Sum>();
    const sum = same.get(name);
    if (same.size === 0) this.#sums.set(sql, same);
    if (!sum) same.set(name, { name: `${name}\0${sql}`, sql, key, amounts: [...amounts] });
    else for (const [index, amount] of amounts.entries()) sum.amounts[index] = (sum.amounts[index] ?? 0) + amount;
  };

  /** Takes those of a work that is part of the commit. */
  addAll(others: Sums): void {
    for (const { sql, key, amounts } of others.#all()) this.add(sql, key, amounts);
  }

  /** The statements, in the order in which all commits write them; what came to nothing is left out. */
  statements(): [sql: string, params: SqlValue[]][] {
    return this.#all()
      .sort((a, b) => (a.name < b.name ? -1 : 1))
      .filter(({ amounts }) => amounts.some((amount) => amount !== 0))
      .map(({ sql, key, amounts }) => [sql, [...key, ...amounts]]);
  }

  #all(): Sum[] {
    return [...this.#sums.values()].flatMap((same) => [...same.values()]);
  }
}
