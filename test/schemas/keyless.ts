/** A proxy that takes the keys out of what it passes on (control): who sends twice under one gets two answers. */

import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { text as readWhole } from 'node:stream/consumers';
import type { Scope } from '../sdks/spoiler.ts';

export async function startKeyless(scope: Scope, target: string): Promise<string> {
  const proxy = http.createServer(async (incoming, outgoing) => {
    const { method, url } = incoming;
    const { 'idempotency-key': _, 'content-length': __, ...headers } = incoming.headers;
    const body = (await readWhole(incoming)).replaceAll('"idempotencyKey"', '"x-other"');
    const length = { 'content-length': Buffer.byteLength(body) };
    const onward = http.request(`${target}${url}`, { method, headers: { ...headers, ...length } }, (answer) => {
      answer.pipe(outgoing.writeHead(answer.statusCode ?? 500, answer.headers));
    });
    onward.once('error', () => outgoing.destroy());
    onward.end(body);
  });
  proxy.listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  scope.after(() => {
    proxy.closeAllConnections();
    proxy.close();
  });
  return `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
}
