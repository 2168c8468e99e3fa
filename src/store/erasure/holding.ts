/** Rows whose text has an address in it: found by the database, and looked at again by whoever asks. */

/** A condition on a column, in whatever case the address stands there. It finds those of longer addresses, too. */
export function holding(column: string): string {
  return `lower(${column}) like ? escape '!'`;
}

holding.params = (person: string): [pattern: string] => [`%${person.replace(/[!%_]/g, '!$&')}%`];
