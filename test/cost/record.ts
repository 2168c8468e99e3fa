/**
 * Which routes a server has, and which members, parameters and form fields their handlers ask for: found out by asking each of
 * them and noting what it reads. A field that is added tomorrow is found by that, too.
 */

import type { Hono } from 'hono';
import { HonoRequest } from 'hono/request';
import type { Bindings } from '../../src/http/call.ts';
import { exampleAround, exampleBody } from './examples.ts';

/** A request's body as JSON is noted where its text begins so; nothing else in the program writes this. */
const mark = '\n \t\n ';

export type Route = { method: string; path: string };

/** `[]` stands for any element, `*` for members of any name. */
export type Read = { members: Set<string>; parameters: Set<string>; form: Set<string> };

let noting: Read | null = null;

export function routesOf(app: Hono<Bindings>): Route[] {
  const times = new Map<unknown, number>();
  for (const { handler } of app.routes) times.set(handler, (times.get(handler) ?? 0) + 1);
  // Refusals are shared by many paths; a handler is of one.
  const own = app.routes.filter(({ method, handler }) => method !== 'ALL' && (times.get(handler) ?? 0) < 2);
  return own.map(({ method, path }) => ({ method, path }));
}

/** Notes what is read while `work` runs; nothing else may be under way. */
export async function note(work: () => Promise<unknown>): Promise<Read> {
  noting = { members: new Set(), parameters: new Set(), form: new Set() };
  const read = noting;
  const restore = [patchJson(), patchQuery(), patchForm()];
  try {
    await work();
  } finally {
    noting = null;
    for (const undo of restore) undo();
  }
  return read;
}

export function marked(body: unknown): string {
  return mark + JSON.stringify(body);
}

function patchJson(): () => void {
  const { parse } = JSON;
  JSON.parse = (text: string, ...rest: []) => {
    const value = parse(text, ...rest);
    return typeof text === 'string' && text.startsWith(mark) ? watched(value, '') : value;
  };
  return () => {
    JSON.parse = parse;
  };
}

function watched(value: unknown, path: string): unknown {
  if (typeof value !== 'object' || value === null) return value;
  return new Proxy(value, {
    get(target, name, receiver) {
      const member = Reflect.get(target, name, receiver);
      if (typeof name === 'symbol' || typeof member === 'function') return member;
      if (Array.isArray(target)) return /^\d+$/.test(name) ? element(member, `${path}[]`) : member;
      const at = path === '' ? name : `${path}.${name}`;
      if (name !== 'toJSON' && name !== 'then') noting?.members.add(at);
      return watched(member, at);
    },
    ownKeys(target) {
      if (!Array.isArray(target)) noting?.members.add(path === '' ? '*' : `${path}.*`);
      return Reflect.ownKeys(target);
    },
  });
}

function element(value: unknown, path: string): unknown {
  noting?.members.add(path);
  return watched(value, path);
}

function patchQuery(): () => void {
  const { query } = HonoRequest.prototype;
  HonoRequest.prototype.query = function patched(this: HonoRequest, ...names: []) {
    const found = query.apply(this, names) as unknown;
    if (typeof found !== 'object' || found === null) return found as never;
    return new Proxy(found, {
      get(target, name, receiver) {
        if (typeof name === 'string') noting?.parameters.add(name);
        return Reflect.get(target, name, receiver);
      },
    }) as never;
  } as never;
  return () => {
    HonoRequest.prototype.query = query;
  };
}

function patchForm(): () => void {
  const { get, getAll } = URLSearchParams.prototype;
  URLSearchParams.prototype.get = function patched(name) {
    noting?.form.add(name);
    return get.call(this, name);
  };
  URLSearchParams.prototype.getAll = function patched(name) {
    noting?.form.add(name);
    return getAll.call(this, name);
  };
  return () => Object.assign(URLSearchParams.prototype, { get, getAll });
}

/** Values that make a handler read on: each opens another branch. */
const plainProbes: readonly unknown[] = ['x', {}, [{}], ['x'], 7];

/**
 * All members a handler reads of a JSON body: what it was seen to read is filled in, with examples and with each probe, until
 * it reads nothing new.
 */
export async function membersRead(path: string, ask: (body: string) => Promise<unknown>): Promise<string[]> {
  const known = new Set<string>();
  const learn = async (body: unknown) => {
    const { members } = await note(() => ask(marked(body)));
    const fresh = [...members].filter((one) => !known.has(one));
    for (const one of fresh) known.add(one);
    return fresh;
  };
  await learn({});
  await learn([{}]);
  for (let grows = true; grows; ) {
    grows = false;
    const names = topLevel(known);
    const base = exampleBody(path, names);
    const more = Object.fromEntries(names.flatMap((name) => [[name, exampleAround(name)]].filter(([, one]) => one)));
    const probes = [...plainProbes, [{ ...base, ...more }]];
    for (const body of [
      base,
      [base],
      { ...base, ...more },
      ...probes.flatMap((probe) => bodiesWith(base, known, probe)),
    ]) {
      if ((await learn(body)).length > 0) grows = true;
    }
  }
  return [...known].sort();
}

export function topLevel(members: Iterable<string>): string[] {
  const names = [...members].map((one) => one.replace(/^\[\]\.?/, '').split(/[.[]/)[0] ?? '');
  return [...new Set(names)].filter((name) => name !== '' && name !== '*');
}

/** The example with one member made the probe, for each member that is known. */
function bodiesWith(base: Record<string, unknown>, known: ReadonlySet<string>, probe: unknown): unknown[] {
  return topLevel(known).flatMap((name) => {
    const body = { ...base, [name]: probe };
    return [...known].some((one) => one.startsWith('[]')) ? [body, [body]] : [body];
  });
}
