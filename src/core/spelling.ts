/** What was probably meant by a word that is misspelled: a setting, a command, a member of a body, a part of a path. */

/** The name that differs by the fewest letters, if those are one or two. */
export function nearestOf(word: string, names: readonly string[]): string | null {
  const near = names.map((name) => ({ name, distance: distanceOf(word, name) }));
  const [best] = near.sort((one, other) => one.distance - other.distance);
  return best && isNear(word, best.distance) ? best.name : null;
}

/** Shorter words are near to everything. */
export function isNear(word: string, distance: number): boolean {
  return distance <= distanceMax && distance < word.length / 2;
}

const distanceMax = 2;

/** Letters to be changed, left out, put in, or swapped with the next one; infinite where it is clear that they are many. */
export function distanceOf(one: string, other: string): number {
  if (Math.abs(one.length - other.length) > distanceMax) return Number.POSITIVE_INFINITY;
  let before: number[] = [];
  let row = Array.from({ length: other.length + 1 }, (_, index) => index);
  for (let i = 1; i <= one.length; i++) {
    const next = [i];
    for (let j = 1; j <= other.length; j++) {
      const change = (row[j - 1] ?? 0) + (one[i - 1] === other[j - 1] ? 0 : 1);
      const isSwap = one[i - 1] === other[j - 2] && one[i - 2] === other[j - 1];
      const swap = i > 1 && j > 1 && isSwap ? (before[j - 2] ?? 0) + 1 : Number.POSITIVE_INFINITY;
      next.push(Math.min(change, swap, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    if (Math.min(...row, ...next) > distanceMax) return Number.POSITIVE_INFINITY;
    [before, row] = [row, next];
  }
  return row[other.length] ?? 0;
}
