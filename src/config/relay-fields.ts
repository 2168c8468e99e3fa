/** The fields of one table of `RELAYS_FILE`, read one by one; what nobody asked for is a mistake. */

import { readFileSync } from 'node:fs';
/** Whatever the environment has: what `${NAME}` stands for. */
export type Variables = Readonly<Record<string, string | undefined>>;

/** A sentence without anything that was written: it may be a secret. */
export class FieldProblem extends Error {
  override readonly name = 'FieldProblem';
}

const variablePattern = /\$\{([^}]*)\}/g;

export class Fields {
  readonly #table: Record<string, unknown>;
  readonly #variables: Variables;
  readonly #asked = new Set<string>();
  /** What stands before the names of its fields, where it is a table within another one. */
  readonly #within: string;

  constructor(table: unknown, variables: Variables, within = '') {
    if (typeof table !== 'object' || table === null || Array.isArray(table)) {
      throw new FieldProblem(within ? `\`${within.slice(0, -1)}\` must be a table.` : 'must be a table.');
    }
    this.#within = within;
    this.#table = table as Record<string, unknown>;
    this.#variables = variables;
  }

  /** @throws FieldProblem where there is a field that was not asked for. */
  end(): void {
    const unknown = Object.keys(this.#table).filter((name) => !this.#asked.has(name));
    if (unknown.length === 0) return;
    const known = [...this.#asked].sort().join(', ');
    const where = this.#within ? `\`${this.#within.slice(0, -1)}\` ` : '';
    throw new FieldProblem(`${where}has ${unknown.length} unknown fields: what is known here is ${known}.`);
  }

  /** `${NAME}` stands for what the environment has under that name. Null: absent. */
  text(name: string, write: (value: string) => string = (value) => value): string | null {
    const value = this.#take(name);
    if (value === undefined) return null;
    if (typeof value !== 'string' || value === '')
      throw new FieldProblem(`\`${name}\` must be a text that is not empty.`);
    return value.replace(variablePattern, (_, variable: string) => write(this.#variable(name, variable)));
  }

  needed(name: string, write?: (value: string) => string): string {
    const text = this.text(name, write);
    if (text === null) throw new FieldProblem(`\`${name}\` is missing.`);
    return text;
  }

  /** As a field of that name, or from the file that `…_file` names. */
  secret(name: string): string | null {
    const value = this.text(name);
    const path = this.text(`${name}_file`);
    if (value !== null && path !== null) throw new FieldProblem(`\`${name}\` and \`${name}_file\` are both set.`);
    return path === null ? value : this.#read(`${name}_file`, path);
  }

  /** The contents of a file. */
  file(name: string): string | null {
    const path = this.text(name);
    return path === null ? null : this.#read(name, path);
  }

  integer(name: string, { min, max }: { min: number; max: number }): number | null {
    const value = this.#take(name);
    if (value === undefined) return null;
    if (typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max) return value;
    throw new FieldProblem(`\`${this.#within}${name}\` must be a whole number from ${min} to ${max}.`);
  }

  integers(name: string, { min, max }: { min: number; max: number }): number[] {
    const value = this.#take(name) ?? [];
    const isOne = (one: unknown) => typeof one === 'number' && Number.isInteger(one) && one >= min && one <= max;
    if (Array.isArray(value) && value.every(isOne)) return value;
    throw new FieldProblem(`\`${this.#within}${name}\` must be a list of whole numbers from ${min} to ${max}.`);
  }

  /** A date, or a moment, of TOML; a date begins at midnight UTC. */
  date(name: string): number | null {
    const value = this.#take(name);
    if (value === undefined) return null;
    if (value instanceof Date && !Number.isNaN(value.getTime())) return value.getTime();
    throw new FieldProblem(`\`${this.#within}${name}\` must be a date, as 2027-01-31.`);
  }

  /** A table within this one, whose own `end` is to be called. */
  table(name: string): Fields | null {
    const value = this.#take(name);
    return value === undefined ? null : new Fields(value, this.#variables, `${this.#within}${name}.`);
  }

  flag(name: string, fallback: boolean): boolean {
    const value = this.#take(name) ?? fallback;
    if (typeof value === 'boolean') return value;
    throw new FieldProblem(`\`${name}\` must be true or false.`);
  }

  names(name: string): string[] {
    const value = this.#take(name) ?? [];
    if (Array.isArray(value) && value.every((one) => typeof one === 'string')) return value;
    throw new FieldProblem(`\`${name}\` must be a list of names.`);
  }

  #take(name: string): unknown {
    this.#asked.add(name);
    return this.#table[name];
  }

  #variable(field: string, name: string): string {
    if (!/^[A-Za-z_]\w*$/.test(name)) throw new FieldProblem(`\`${field}\` has a \${…} without a name of a variable.`);
    const value = this.#variables[name] ?? '';
    if (value === '') throw new FieldProblem(`\`${field}\` wants \${${name}}, which is not set.`);
    return value;
  }

  #read(field: string, path: string): string {
    try {
      const text = readFileSync(path, 'utf8').trim();
      if (text !== '') return text;
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      throw new FieldProblem(`\`${field}\` names a file that cannot be read (${code}).`);
    }
    throw new FieldProblem(`\`${field}\` names a file that is empty.`);
  }
}
