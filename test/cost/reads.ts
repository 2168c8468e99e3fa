/** Every read there is, as it is usually asked: all routes that are read, alone and with each parameter they were seen to ask for. */

import { note, type Route } from './record.ts';
import { type Door, fetchText, pathOf } from './targets.ts';

export type Read = { name: string; path: string; headers: Record<string, string> };

/** Usual values of parameters; one that is not here is asked for with `x`. */
const parameters: Record<string, string> = {
  after: '@id',
  before: '@id',
  email: 'person77@example.com',
  endpoint: '/emails',
  event: 'hardBounces',
  identifier: '@id',
  key: 'welcome/1',
  limit: '10',
  messageId: '<@id@example.com>',
  offset: '10',
  origin: 'complaint',
  q: 'invoice person77',
  range: '30d',
  remote: '1',
  sort: 'asc',
  tag: 'rare',
  tags: 'rare',
  templateId: '5',
  view: 'text',
};

/** Those that answer; a stream of events has no end, and is no read. */
export async function listReads(door: Door, routes: readonly Route[], id: string): Promise<Read[]> {
  const reads: Read[] = [];
  for (const route of routes.filter(({ method, path }) => method === 'GET' && !path.endsWith('/live'))) {
    const headers: Record<string, string> = route.path.startsWith('/dashboard')
      ? { cookie: door.cookie }
      : { authorization: `Bearer ${door.key}` };
    const path = await pathOf(door, route, headers);
    const seen = await note(() => fetchText(door, 'GET', path, headers));
    const queries = ['', ...[...seen.parameters].map((name) => `?${name}=${value(name, id)}`)];
    for (const query of queries) {
      const { status } = await fetchText(door, 'GET', path + query, headers);
      // What is refused without a parameter is asked with it.
      if (status < 400)
        reads.push({ name: `GET ${route.path}${query.replace(id, ':id')}`, path: path + query, headers });
    }
  }
  return reads;
}

function value(name: string, id: string): string {
  return encodeURIComponent((parameters[name] ?? 'x').replace('@id', id));
}
