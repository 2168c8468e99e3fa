/** A proxy that loses answers: it passes requests on, waits for what the server says, and tells the client 502 instead. */

import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo } from 'node:net';

export type LossyProxy = { url: string; requests: () => number };

/** The first `losses` answers are lost, or those it says of; the others are passed on as they are. */
export async function startLossyProxy(
  t: { after(work: () => unknown): void },
  target: string,
  losses: number | ((request: number) => boolean),
): Promise<LossyProxy> {
  let requests = 0;
  const proxy = http.createServer((incoming, outgoing) => {
    const isLost = typeof losses === 'number' ? ++requests <= losses : losses(++requests);
    const { method, headers, url } = incoming;
    const onward = http.request(`${target}${url}`, { method, headers }, (answer) => {
      // Only once all of it is here: the server has done what it was asked.
      if (isLost) answer.resume().once('end', () => outgoing.writeHead(502).end('Bad Gateway'));
      else answer.pipe(outgoing.writeHead(answer.statusCode ?? 500, answer.headers));
    });
    onward.once('error', () => outgoing.destroy());
    incoming.pipe(onward);
  });
  proxy.listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  t.after(() => {
    proxy.closeAllConnections();
    proxy.close();
  });
  return { url: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`, requests: () => requests };
}
