/** The answer to bytes that are no HTTP request: in JSON as every other refusal, and never in the place of another answer. */

import { type IncomingMessage, type Server, type ServerResponse, STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';

/** Node's parser codes; everything else is a plain 400. */
const refusals: Readonly<Record<string, [status: number, message: string]>> = {
  HPE_HEADER_OVERFLOW: [431, 'The request headers are too large.'],
  HPE_CHUNK_EXTENSIONS_OVERFLOW: [413, 'The chunk extensions of the request body are too large.'],
  ERR_HTTP_REQUEST_TIMEOUT: [408, 'The request did not arrive in time.'],
};

/**
 * Node would answer by itself, in plain text, and even where an earlier request of the connection still waits for its
 * answer: a client would take that 400 for an email that is being accepted. Such a connection ends without a status.
 */
export function answerUnreadable(server: Server): void {
  const waiting = new WeakMap<Duplex, number>();
  server.on('request', (incoming: IncomingMessage, outgoing: ServerResponse) => {
    const { socket } = incoming;
    waiting.set(socket, (waiting.get(socket) ?? 0) + 1);
    outgoing.once('close', () => waiting.set(socket, (waiting.get(socket) ?? 1) - 1));
  });
  server.on('clientError', (error: NodeJS.ErrnoException, socket: Duplex) => {
    if (socket.writable && !waiting.get(socket)) socket.write(answerTo(error.code ?? ''));
    socket.destroy();
  });
}

function answerTo(code: string): string {
  const [status, message] = refusals[code] ?? [400, 'The request is not valid HTTP.'];
  // One of the names all SDKs know.
  const body = JSON.stringify({ statusCode: status, name: 'validation_error', message });
  const head = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    'content-type: application/json; charset=utf-8',
    `content-length: ${Buffer.byteLength(body)}`,
    'connection: close',
  ];
  return `${head.join('\r\n')}\r\n\r\n${body}`;
}
