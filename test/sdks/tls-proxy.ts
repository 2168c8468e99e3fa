/** Leads a program that knows one address here: an HTTP proxy whose CONNECT ends at a server of ours, under a certificate it trusts. */

import { once } from 'node:events';
import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import https from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Scope } from './spoiler.ts';

/** `pfx`: key and certificate. `targetOf` tells where a request goes on to. */
export async function startTlsProxy(
  scope: Scope,
  pfx: Buffer,
  targetOf: (incoming: IncomingMessage) => string,
): Promise<number> {
  const inner = https.createServer({ pfx, passphrase: 'secret' }, (incoming, outgoing) =>
    pass(incoming, outgoing, targetOf(incoming)),
  );
  const proxy = http.createServer();
  proxy.on('connect', (_, socket) => {
    socket.write('HTTP/1.1 200 OK\r\n\r\n');
    inner.emit('connection', socket);
  });
  proxy.listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  scope.after(() => {
    inner.closeAllConnections();
    proxy.closeAllConnections();
    proxy.close();
  });
  return (proxy.address() as AddressInfo).port;
}

function pass(incoming: IncomingMessage, outgoing: ServerResponse, target: string): void {
  const { method, headers, url } = incoming;
  // The server is asked by its own name.
  const { host: _, ...kept } = headers;
  const onward = http.request(`${target}${url}`, { method, headers: kept }, (answer) =>
    answer.pipe(outgoing.writeHead(answer.statusCode ?? 500, answer.headers)),
  );
  onward.once('error', () => outgoing.destroy());
  incoming.pipe(onward);
}
