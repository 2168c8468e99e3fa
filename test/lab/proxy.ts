/** A TCP proxy as there are many between a client and us: it cuts, delays, loses and replaces answers, and repeats requests by itself. */

import { once } from 'node:events';
import net from 'node:net';
import { readReply, type WireReply } from '../support/wire.ts';

/** What becomes of one request. `bytes` are let through before the cut; the answer is read to its end in every other case. */
export type Trick =
  | { kind: 'pass' }
  | { kind: 'delay'; ms: number }
  | { kind: 'cut request'; bytes: number }
  | { kind: 'cut answer'; bytes: number }
  | { kind: 'lose answer' }
  | { kind: 'answer 502' }
  /** As nginx's proxy_next_upstream does: the client sees the second answer only. */
  | { kind: 'repeat request' };

export type ProxyOptions = {
  target: () => string;
  /** Asked once for each request. */
  choose: () => Trick;
  /**
   * Told each answer as it comes from the server, whether or not the client gets it. Alone: no other request of its key
   * has gone to the server without its answer having come back, so that what the database holds now is this one's doing,
   * or an earlier one's.
   */
  onReply: (reply: WireReply, key: string, isAlone: boolean) => void;
};

export type TrickyProxy = { url: string; close(): Promise<void> };

const badGateway = 'HTTP/1.1 502 Bad Gateway\r\ncontent-type: text/html\r\ncontent-length: 13\r\n\r\n<h1>502</h1>\n';

export async function startProxy(options: ProxyOptions): Promise<TrickyProxy> {
  const sockets = new Set<net.Socket>();
  const unheard: Unheard = new Map();
  const server = net.createServer({ noDelay: true }, (client) => {
    const passage = new Passage(options, client, unheard);
    for (const socket of [client, passage.upstream]) {
      sockets.add(socket);
      socket.on('close', () => sockets.delete(socket));
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as net.AddressInfo).port}`,
    async close() {
      const closed = once(server, 'close');
      server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

/** Requests by key that were passed on, and whose answer has not come. */
type Unheard = Map<string, number>;

/** One connection of a client, and ours to the server. Clients do not pipeline: what comes after an answer is a new request. */
class Passage {
  readonly upstream: net.Socket;
  readonly #options: ProxyOptions;
  readonly #client: net.Socket;
  readonly #unheard: Unheard;
  #key = '';
  #trick: Trick | null = null;
  #request: Buffer = Buffer.alloc(0);
  #received: Buffer = Buffer.alloc(0);
  #isRepeated = false;

  constructor(options: ProxyOptions, client: net.Socket, unheard: Unheard) {
    const { hostname, port } = new URL(options.target());
    this.#options = options;
    this.#client = client;
    this.#unheard = unheard;
    this.upstream = net.connect({ host: hostname, port: Number(port), noDelay: true });
    client.on('data', (chunk: Buffer) => this.#pass(chunk));
    this.upstream.on('data', (chunk: Buffer) => this.#hear(chunk));
    for (const socket of [client, this.upstream]) {
      socket.on('error', () => {});
      socket.on('close', () => this.#end());
    }
  }

  #pass(chunk: Buffer): void {
    const isNew = this.#trick === null;
    this.#trick ??= this.#options.choose();
    this.#request = Buffer.concat([this.#request, chunk]);
    if (isNew) this.#passedOn();
    if (this.#trick.kind !== 'cut request') {
      this.upstream.write(chunk);
      return;
    }
    const before = this.#request.length - chunk.length;
    this.upstream.write(chunk.subarray(0, Math.max(0, this.#trick.bytes - before)));
    if (this.#request.length >= this.#trick.bytes) this.#end();
  }

  /** Clients send the head of a request in one piece. */
  #passedOn(): void {
    this.#key = /^idempotency-key: (.*)\r$/im.exec(this.#request.toString('latin1'))?.[1] ?? '';
    this.#unheard.set(this.#key, (this.#unheard.get(this.#key) ?? 0) + 1);
  }

  #hear(chunk: Buffer): void {
    this.#received = Buffer.concat([this.#received, chunk]);
    const read = readReply(this.#received);
    if (!read) return;
    const bytes = this.#received.subarray(0, this.#received.length - read.rest.length);
    this.#received = read.rest;
    const others = (this.#unheard.get(this.#key) ?? 1) - 1;
    this.#unheard.set(this.#key, others);
    this.#options.onReply(read.reply, this.#key, others === 0);
    this.#answer(bytes, this.#trick ?? { kind: 'pass' });
  }

  #answer(bytes: Buffer, trick: Trick): void {
    if (trick.kind === 'delay') setTimeout(() => this.#finish(bytes), trick.ms);
    else if (trick.kind === 'cut answer') this.#client.write(bytes.subarray(0, trick.bytes), () => this.#end());
    else if (trick.kind === 'lose answer') this.#end();
    else if (trick.kind === 'answer 502') this.#finish(Buffer.from(badGateway));
    else if (trick.kind === 'repeat request' && !this.#isRepeated) this.#repeat();
    else this.#finish(bytes);
  }

  #repeat(): void {
    this.#isRepeated = true;
    this.#passedOn();
    this.upstream.write(this.#request);
  }

  #finish(bytes: Buffer): void {
    this.#client.write(bytes);
    this.#trick = null;
    this.#isRepeated = false;
    this.#request = Buffer.alloc(0);
  }

  #end(): void {
    this.#client.resetAndDestroy();
    this.upstream.resetAndDestroy();
  }
}
