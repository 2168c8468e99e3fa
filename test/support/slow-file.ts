/** A file at a URL whose server takes as long as the test wants. */

import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import type { TestContext } from 'node:test';

/** A web server that answers nobody before it is told to, and everybody from then on. */
export async function startSlowFile(t: TestContext) {
  let asked = () => {};
  let requests = 0;
  let answer: ((response: http.ServerResponse) => unknown) | null = null;
  const held: http.ServerResponse[] = [];
  const web = http.createServer((_request, response) => {
    requests++;
    if (answer) answer(response);
    else held.push(response);
    asked();
  });
  const answerAll = (how: (response: http.ServerResponse) => unknown) => {
    answer = how;
    held.forEach(how);
  };
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
    finish: () => answerAll((response) => response.end('a report')),
    fail: () => answerAll((response) => response.writeHead(500).end()),
  };
}
