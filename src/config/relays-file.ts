/** Reads `RELAYS_FILE`: relays and routes as TOML, secrets from the environment or from files of their own. */

import { readFileSync } from 'node:fs';
import { parse, TomlError } from 'smol-toml';
import type { Route } from '../core/route.ts';
import type { MxServer } from './mx-url.ts';
import { parseRelay, type RelayEntry } from './relay-entry.ts';
import { FieldProblem, Fields, type Variables } from './relay-fields.ts';
import type { RelayUrl } from './relay-url.ts';

export type RelaysFile = { path: string; relays: readonly RelayEntry[]; routes: readonly Route[] };

/** Where mail goes: what `RELAY_URL` says, or what `RELAYS_FILE` does. */
export type RelaySetting = RelayUrl | { kind: 'mx'; server: MxServer } | { kind: 'file'; file: RelaysFile };

/** `problems` are sentences to be read after the setting's name. They quote nothing of the file but names of relays that are names. */
export type ReadRelays = { file: RelaysFile; problems: string[] };

/** More are a mistake, and each has connections. */
const relaysMax = 200;
const routesMax = 10_000;

export function readRelaysFile(path: string, variables: Variables): ReadRelays {
  const none = { path, relays: [], routes: [] };
  const text = readText(path);
  if (typeof text !== 'string') return { file: none, problems: [text.problem] };
  const table = readToml(text);
  if (typeof table === 'string') return { file: none, problems: [table] };
  const reader = new Reader(variables);
  const file = { path, ...reader.read(table) };
  return { file, problems: reader.problems };
}

function readText(path: string): string | { problem: string } {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return { problem: `names a file that cannot be read (${code}): ${path}.` };
  }
}

/** A sentence where it is none. Its lines are not quoted: there may be a password in them. */
function readToml(text: string): Record<string, unknown> | string {
  try {
    return parse(text);
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    return `is not TOML at line ${error.line}, column ${error.column}.`;
  }
}

class Reader {
  readonly problems: string[] = [];
  readonly #variables: Variables;

  constructor(variables: Variables) {
    this.#variables = variables;
  }

  read(table: Record<string, unknown>): { relays: RelayEntry[]; routes: Route[] } {
    const { relay, route, ...others } = table;
    const unknown = Object.keys(others).length;
    if (unknown > 0)
      this.problems.push(`has ${unknown} unknown names at its top: only [[relay]] and [[route]] are known.`);
    const relays = this.#tables('relay', relay, relaysMax).flatMap((one, index) => this.#relay(one, index));
    if (relay === undefined) this.problems.push('names no [[relay]].');
    const names = new Set(relays.map(({ name }) => name));
    if (names.size < relays.length) this.problems.push('has a relay name twice: each needs a name of its own.');
    const routes = this.#tables('route', route, routesMax).flatMap((one, index) => this.#route(one, index, names));
    return { relays, routes };
  }

  #tables(kind: 'relay' | 'route', value: unknown, most: number): unknown[] {
    if (value === undefined) return [];
    if (!Array.isArray(value)) {
      this.problems.push(`must write [[${kind}]] with two brackets.`);
      return [];
    }
    if (value.length > most) this.problems.push(`has more than ${most} of [[${kind}]].`);
    return value.slice(0, most);
  }

  #relay(table: unknown, index: number): RelayEntry[] {
    return this.#each(`relay ${index + 1}`, table, parseRelay);
  }

  #route(table: unknown, index: number, names: ReadonlySet<string>): Route[] {
    return this.#each(`route ${index + 1}`, table, (fields) => parseRoute(fields, names));
  }

  /** One that is wrong says so, and the others are still read. */
  #each<T>(where: string, table: unknown, read: (fields: Fields) => T): T[] {
    const fields = new Fields(table, this.#variables);
    try {
      const one = read(fields);
      fields.end();
      return [one];
    } catch (error) {
      if (!(error instanceof FieldProblem)) throw error;
      this.problems.push(`${where}: ${error.message}`);
      return [];
    }
  }
}

/** An address, a domain, or `*.domain`. */
const fromPattern = /^(?:(?:[^\s@*]+@|\*\.)?[^\s@*]+\.[^\s@*.]+|[^\s@*]+@[^\s@*]+)$/;

function parseRoute(fields: Fields, names: ReadonlySet<string>): Route {
  const from = fields.text('from');
  if (from !== null && !fromPattern.test(from)) {
    throw new FieldProblem('`from` must be an address, a domain, or *.domain for those below it.');
  }
  const account = fields.text('account');
  const tag = fields.text('tag');
  const relays = fields.names('relays');
  if (relays.length === 0) throw new FieldProblem('`relays` must name one relay at least.');
  if (relays.some((name) => !names.has(name)))
    throw new FieldProblem('`relays` names a relay that is not in this file.');
  if (new Set(relays).size < relays.length) throw new FieldProblem('`relays` names a relay twice.');
  return { from: from && lowerDomain(from), account, tag, relays };
}

function lowerDomain(from: string): string {
  const at = from.lastIndexOf('@');
  return from.slice(0, at + 1) + from.slice(at + 1).toLowerCase();
}
