/** Groups of fields as reports have them (RFC 3464 2.1.2): `Name: value` with folded lines, groups apart by blank lines. */

/** By names in small letters; of several with one name all, in their order. */
export type Fields = ReadonlyMap<string, readonly string[]>;

export function readGroups(text: string): Fields[] {
  const groups: Fields[] = [];
  let group = new Map<string, string[]>();
  let last: string[] | null = null;
  for (const line of text.split(/\r?\n/)) {
    if (line.trim() === '') {
      if (group.size > 0) groups.push(group);
      group = new Map();
      last = null;
    } else if (/^[ \t]/.test(line)) {
      // Put together once: a field of many lines is no more work than they are long.
      last?.push(line.trim());
    } else {
      last = begin(group, line);
    }
  }
  if (group.size > 0) groups.push(group);
  return groups.map(joined);
}

/** The first group, such as the header of a mail. */
export function readFields(text: string): Fields {
  return readGroups(text)[0] ?? new Map();
}

/** What one field of this name says; empty where there is none. */
export function fieldOf(fields: Fields, name: string): string {
  return fields.get(name)?.[0] ?? '';
}

const separator = '\u0000';

/** The lines of a field; null where the line begins none. */
function begin(group: Map<string, string[]>, line: string): string[] | null {
  const colon = line.indexOf(':');
  const name = line.slice(0, colon).trim().toLowerCase();
  if (colon < 1 || name.includes(' ')) return null;
  const lines = group.get(name) ?? [];
  if (lines.length > 0) lines.push(separator);
  lines.push(line.slice(colon + 1).trim());
  group.set(name, lines);
  return lines;
}

function joined(group: ReadonlyMap<string, readonly string[]>): Fields {
  const valuesOf = (lines: readonly string[]) =>
    lines
      .join(' ')
      .split(separator)
      .map((value) => value.trim());
  return new Map([...group].map(([name, lines]) => [name, valuesOf(lines)]));
}
