/** A file at a URL whose server takes as long as the test wants. */

import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import type { TestContext } from 'node:test';

/** A web server that answers nobody before it is told to. */
export async function startSlowFile(t: TestContext) {
  let asked = () => {};
  let requests = 0;
  const held: http.ServerResponse[] = [];
  const web = http.createServer((_request, response) => {
    requests++;
    held.push(response);
    asked();
  });
  web.listen(0, '127.0.0.1');
  await once(web, 'listening');
  t.after(() => {
    web.closeAllConnections();
    web.close();
  });
  return {
    url: `http://127.0.0.1:${(web.address() as AddressInfo).port}/report.pdf`,
    asked: new Promise<void>((resolve) => {
      asked = resolve;
    }),
    requests: () => requests,
    finish: () => held.forEach((response) => void response.end('a report')),
    fail: () => held.forEach((response) => void response.writeHead(500).end()),
  };
}
