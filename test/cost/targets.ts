/** Every field of every endpoint as something that can be asked at any size: from what the routes were seen to read. */

import type { Asked, Place } from './driver.ts';
import { exampleAround, exampleBody } from './examples.ts';
import { membersRead, note, type Route, topLevel } from './record.ts';
import { structureShapes, textShapes } from './shapes.ts';

export type Target = {
  name: string;
  asked: Asked;
  shapes: readonly string[];
  sizes: readonly number[];
};

export type Door = {
  url: string;
  key: string;
  /** Of somebody who is signed in to the page. */
  cookie: string;
  formToken: string;
  /** What stands in paths: ids of everything there is, tried until one is known. */
  names: readonly string[];
};

export type Sizes = {
  /** Fields of a batch only in many items, and items of one length: what the rest would show is seen elsewhere. */
  isQuick?: boolean;
  /** Of bodies. */
  bodies: readonly number[];
  /** Of what stands in an address or a header, which Node bounds at 16 kB in all. */
  heads: readonly number[];
};

const place = '@@place@@';

/** Targets of one route; several where it reads a body, parameters and a form. */
export async function targetsOf(door: Door, route: Route, sizes: Sizes): Promise<Target[]> {
  const isPage = route.path.startsWith('/dashboard');
  const headers: Record<string, string> = isPage
    ? { cookie: door.cookie, origin: door.url, 'content-type': 'application/x-www-form-urlencoded' }
    : { authorization: `Bearer ${door.key}`, 'content-type': 'application/json' };
  const path = await pathOf(door, route, headers);
  const asked = (where: Place, at = path): Asked => ({ method: route.method, path: at, headers, place: where });
  const heads = { shapes: textShapes, sizes: sizes.heads };
  const title = `${route.method} ${route.path}`;
  const targets: Target[] = [];
  for (const parameter of route.path.match(/:\w+/g) ?? []) {
    const at = route.path
      .replace(parameter, '@@')
      .replace(/:\w+/g, door.names[0] ?? 'x')
      .replace('*', 'x');
    targets.push({ name: `${title} ${parameter}`, asked: asked({ in: 'path' }, at), ...heads });
  }
  if (route.method === 'GET') {
    const { parameters } = await note(() => fetchText(door, route.method, path, headers));
    for (const name of parameters)
      targets.push({ name: `${title} ?${name}`, asked: asked({ in: 'parameter', name }), ...heads });
    return targets;
  }
  if (isPage) {
    const others = new URLSearchParams({ token: door.formToken }).toString();
    const { form } = await note(() => fetchText(door, route.method, path, headers, others));
    const shapes = textShapes;
    for (const name of form) {
      const where: Place = { in: 'form', name, others: name === 'token' ? '' : others };
      targets.push({ name: `${title} form ${name}`, asked: asked(where), shapes, sizes: sizes.heads });
    }
    return targets;
  }
  const members = await membersRead(route.path, (body) => fetchText(door, route.method, path, headers, body));
  const base = exampleBody(route.path, topLevel(members));
  const isBatch = members.some((one) => one.startsWith('[]'));
  for (const name of headerNames) {
    const body = JSON.stringify(isBatch ? [base] : base);
    targets.push({ name: `${title} header ${name}`, asked: asked({ in: 'header', name, body }), ...heads });
  }
  if (members.length === 0) return targets;
  targets.push({
    name: `${title} body`,
    asked: asked({ in: 'json', before: '', after: '' }),
    shapes: structureShapes,
    sizes: sizes.bodies,
  });
  const shapes = [...textShapes, ...structureShapes];
  for (const member of members.filter((one) => !['*', '[]', '[].*'].includes(one))) {
    for (const where of placesOf(member, base, sizes.isQuick ?? false)) {
      const many = where.in === 'items' ? ` in many items of ${where.each}` : '';
      targets.push({ name: `${title} ${member}${many}`, asked: asked(where), shapes, sizes: sizes.bodies });
    }
  }
  return targets;
}

/** What handlers read of a request beside its address and body. */
const headerNames = ['idempotency-key', 'idempotencykey', 'x-batch-validation', 'user-agent'];

export async function pathOf(door: Door, route: Route, headers: Record<string, string>): Promise<string> {
  if (!route.path.includes(':')) return route.path.replace('*', 'x');
  // What is deleted by being looked for is looked for in vain.
  const names = route.method === 'DELETE' ? ['x'] : door.names;
  let found = '';
  for (const [one, other] of names.flatMap((name) => names.map((another) => [name, another] as const))) {
    const rest = [one, other];
    // One parameter, one try.
    if (route.path.split(':').length === 2 && other !== names[0]) continue;
    found = route.path.replace(/:\w+/g, () => encodeURIComponent(rest.shift() ?? 'x'));
    if (route.method !== 'GET') {
      const { status } = await fetchText(door, route.method, found, headers, '[]');
      if (status !== 404) return found;
    } else if ((await fetchText(door, 'GET', found, headers)).status < 400) return found;
  }
  return found;
}

export async function fetchText(
  door: Pick<Door, 'url'>,
  method: string,
  path: string,
  headers: Record<string, string>,
  body?: string,
): Promise<{ status: number; text: string }> {
  const calledOff = AbortSignal.timeout(2_000);
  const init = { method, headers, redirect: 'manual' as const, signal: calledOff };
  try {
    const answer = await fetch(`${door.url}${path}`, { ...init, ...(body === undefined ? {} : { body }) });
    return { status: answer.status, text: await answer.text() };
  } catch {
    // A stream of events has no end.
    return { status: 0, text: '' };
  }
}

/** Texts in many items are as long as a name or a date may be, and as an address of a file. */
const eachOfMany = [100, 8_191];

/** The member alone in an otherwise valid body; and, of the elements of an array, in as many as there is room for. */
function placesOf(member: string, base: Record<string, unknown>, isQuick: boolean): Place[] {
  const inBatch = member.startsWith('[]');
  const path = member
    .replace(/^\[\]\.?/, '')
    .replace(/\*$/, 'X-A')
    .replace(/\[\]$/, '[].*');
  const body = put(base, path.split('.'));
  const [before, after] = split(inBatch ? [body] : body);
  const alone: Place = { in: 'json', before, after };
  const [item, outer] = inBatch ? [body, place] : itemOf(path, base);
  if (item === undefined) return [alone];
  const [itemBefore, itemAfter] = split(item);
  const [start, end] = split(outer);
  const each = isQuick ? [inBatch ? 100 : 8_191] : eachOfMany;
  const many = each.map((one): Place => ({ in: 'items', before: start, after: end, itemBefore, itemAfter, each: one }));
  return isQuick && inBatch ? many : [alone, ...many];
}

/** An element of the first array on the way, and the body with the place where the array stands. */
function itemOf(path: string, base: Record<string, unknown>): unknown[] {
  const at = path.indexOf('[].');
  if (at < 0 || path.slice(0, at).includes('.')) return [];
  const name = path.slice(0, at);
  const example = exampleAround(name);
  const first = Array.isArray(example) ? example[0] : (example ?? {});
  return [put(first, path.slice(at + 3).split('.')), { ...base, [name]: place }];
}

function split(body: unknown): [before: string, after: string] {
  const text = JSON.stringify(body);
  const [before = '', after = ''] = text.split(JSON.stringify(place), 2);
  return [before, after];
}

/** The value with the place where the path leads. */
function put(value: unknown, [step = '', ...rest]: string[]): unknown {
  if (step === '') return place;
  const isList = step.endsWith('[]');
  const name = isList ? step.slice(0, -2) : step;
  const object = typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
  const inner = object[name] ?? exampleAround(name);
  if (!isList) return { ...object, [name]: put(inner, rest) };
  const [first] = Array.isArray(inner) ? inner : [{}];
  return { ...object, [name]: [rest[0] === '*' ? place : put(first, rest)] };
}
