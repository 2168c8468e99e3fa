/** A proxy for an app's own tests: stands before a server, spoils what it is told to, and counts what came of it. */

import { once } from 'node:events';
import http, { type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http';
import https from 'node:https';
import type { AddressInfo } from 'node:net';
import type { FaultName, Faults } from './faults.ts';
import { Operations, type Tally } from './operations.ts';

export type ChaosOptions = {
  upstream: URL;
  host: string;
  /** 0: any that is free. */
  port: number;
  faults: Faults;
  /** How long a delayed answer takes longer. */
  delayMs: number;
};

export type Chaos = { url: string; tally(): Tally; stop(): Promise<void> };

type Asked = { method: string; path: string; headers: IncomingHttpHeaders; body: Buffer };
type Answer = { status: number; headers: IncomingHttpHeaders; body: Buffer };

/** Only what sends is spoiled: what reads is passed on as it is. */
export async function startChaos(options: ChaosOptions): Promise<Chaos> {
  const operations = new Operations();
  const server = http.createServer((incoming, outgoing) => {
    pass(options, operations, incoming, outgoing).catch(() => outgoing.destroy());
  });
  server.listen(options.port, options.host);
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://${options.host}:${port}`,
    tally: () => operations.tally(),
    async stop() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

async function pass(
  options: ChaosOptions,
  operations: Operations,
  incoming: IncomingMessage,
  outgoing: ServerResponse,
): Promise<void> {
  const { method = 'GET', url = '/', headers } = incoming;
  const asked: Asked = { method, path: url, headers, body: await bytesOf(incoming) };
  const name = operations.nameOf(asked);
  const fault = name === null ? null : options.faults.next();
  if (fault) operations.struck(fault);
  if (fault === 'lose-requests') return void outgoing.destroy();
  const ask = async () => {
    const answer = await forward(options.upstream, asked);
    if (name !== null) operations.answered(name, answer.status, answer.body);
    return answer;
  };
  const answer = await ask();
  // As a client's own library may do it, which nobody had asked for.
  if (fault === 'repeats') await ask();
  if (fault === 'delays') await new Promise((resolve) => setTimeout(resolve, options.delayMs));
  answerWith(fault, answer, outgoing);
}

function answerWith(fault: FaultName | null, { status, headers, body }: Answer, outgoing: ServerResponse): void {
  switch (fault) {
    case 'lose-answers':
      outgoing.destroy();
      return;
    case 'bad-gateways':
      outgoing.writeHead(502, { 'content-type': 'text/html' }).end('<h1>502 Bad Gateway</h1>');
      return;
    case 'cut-answers':
      outgoing.writeHead(status, { ...headers, 'content-length': body.length });
      outgoing.write(body.subarray(0, body.length >> 1), () => outgoing.destroy());
      return;
    default:
      outgoing.writeHead(status, { ...headers, 'content-length': body.length }).end(body);
  }
}

function forward(upstream: URL, { method, path, headers, body }: Asked): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const { request } = upstream.protocol === 'https:' ? https : http;
    const target = new URL(upstream.pathname.replace(/\/$/, '') + path, upstream);
    const own = { ...headers, host: target.host, 'content-length': String(body.length) };
    delete (own as IncomingHttpHeaders)['transfer-encoding'];
    const asking = request(target, { method, headers: own }, (incoming) => {
      bytesOf(incoming).then((bytes) => {
        const { 'transfer-encoding': _, connection: __, ...rest } = incoming.headers;
        resolve({ status: incoming.statusCode ?? 502, headers: rest, body: bytes });
      }, reject);
    });
    asking.once('error', reject);
    asking.end(body);
  });
}

async function bytesOf(incoming: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of incoming) chunks.push(chunk);
  return Buffer.concat(chunks);
}
