/** HTTP as bytes: what no client library lets a test say, and answers as they came over the wire. */

import { once } from 'node:events';
import net from 'node:net';

// biome-ignore lint/suspicious/noExplicitAny: replies are looked into, member by member, by the assertions of the tests.
export type WireReply = { status: number; headers: Map<string, string>; text: string; json: any };

export type WireRequest = {
  method: string;
  path: string;
  headers: [name: string, value: string][];
  body?: string | Uint8Array | null;
  chunked?: boolean;
  /** Instead of the server's own. */
  host?: string;
};

/** Host and, where there is a body that is not chunked, Content-Length are added; the rest is sent as it stands. */
export function requestBytes(url: string, request: WireRequest): Buffer {
  const body = request.body === null || request.body === undefined ? null : Buffer.from(request.body as string);
  const framing =
    body === null ? [] : [request.chunked ? 'Transfer-Encoding: chunked' : `Content-Length: ${body.length}`];
  const lines = [
    `${request.method} ${request.path} HTTP/1.1`,
    `Host: ${request.host ?? new URL(url).host}`,
    ...request.headers.map(([name, value]) => `${name}: ${value}`),
    ...framing,
  ];
  const head = Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1');
  if (body === null) return head;
  return Buffer.concat([head, request.chunked ? chunks(body) : body]);
}

/** Two chunks, so that their seam falls into the body. */
function chunks(body: Buffer): Buffer {
  const middle = Math.ceil(body.length / 2);
  const parts = [body.subarray(0, middle), body.subarray(middle)].filter((part) => part.length > 0);
  const written = parts.flatMap((part) => [Buffer.from(`${part.length.toString(16)}\r\n`), part, Buffer.from('\r\n')]);
  return Buffer.concat([...written, Buffer.from('0\r\n\r\n')]);
}

/** One connection to the server: bytes out, answers in. */
export class Wire {
  readonly socket: net.Socket;
  #received: Buffer = Buffer.alloc(0);
  #ended = false;
  #wake: () => void = () => {};

  private constructor(socket: net.Socket) {
    this.socket = socket;
    socket.on('data', (chunk: Buffer) => {
      this.#received = Buffer.concat([this.#received, chunk]);
      this.#wake();
    });
    socket.on('error', () => {});
    socket.on('close', () => {
      this.#ended = true;
      this.#wake();
    });
  }

  static async open(url: string): Promise<Wire> {
    const { hostname, port } = new URL(url);
    const socket = net.connect({ host: hostname, port: Number(port), noDelay: true });
    await once(socket, 'connect');
    return new Wire(socket);
  }

  write(bytes: Buffer | string): void {
    this.socket.write(bytes);
  }

  /** The next answer. @throws Error where the connection ends before it. */
  async reply(): Promise<WireReply> {
    for (;;) {
      const read = readReply(this.#received);
      if (read) {
        this.#received = read.rest;
        return read.reply;
      }
      if (this.#ended) throw new Error(`the connection ended after ${JSON.stringify(this.#received.toString())}`);
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  async closed(): Promise<void> {
    while (!this.#ended) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  close(): void {
    this.socket.destroy();
  }
}

/** Sends one request on a connection of its own. */
export async function exchange(url: string, request: WireRequest): Promise<WireReply> {
  const wire = await Wire.open(url);
  try {
    wire.write(requestBytes(url, request));
    return await wire.reply();
  } finally {
    wire.close();
  }
}

/** Null while the answer is not complete. */
export function readReply(received: Buffer): { reply: WireReply; rest: Buffer } | null {
  const end = received.indexOf('\r\n\r\n');
  if (end < 0) return null;
  const [first = '', ...lines] = received.toString('latin1', 0, end).split('\r\n');
  const headers = new Map(
    lines.map((line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 1).trim()]),
  );
  const status = Number(first.split(' ')[1]);
  const after = received.subarray(end + 4);
  const body = headers.get('transfer-encoding') === 'chunked' ? readChunks(after) : readLength(after, headers);
  if (!body) return null;
  const text = body.bytes.toString('utf8');
  const isJson = headers.get('content-type')?.startsWith('application/json');
  return { reply: { status, headers, text, json: isJson ? JSON.parse(text) : null }, rest: body.rest };
}

function readLength(after: Buffer, headers: Map<string, string>): { bytes: Buffer; rest: Buffer } | null {
  const length = Number(headers.get('content-length') ?? 0);
  return after.length < length ? null : { bytes: after.subarray(0, length), rest: after.subarray(length) };
}

function readChunks(after: Buffer): { bytes: Buffer; rest: Buffer } | null {
  const parts: Buffer[] = [];
  for (let at = 0; ; ) {
    const lineEnd = after.indexOf('\r\n', at);
    if (lineEnd < 0) return null;
    const size = Number.parseInt(after.toString('latin1', at, lineEnd), 16);
    const next = lineEnd + 2 + size + 2;
    if (after.length < next) return null;
    if (size === 0) return { bytes: Buffer.concat(parts), rest: after.subarray(next) };
    parts.push(after.subarray(lineEnd + 2, lineEnd + 2 + size));
    at = next;
  }
}
