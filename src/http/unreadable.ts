/** The answer to bytes that are no HTTP request: in JSON as every other refusal, and never in the place of another answer. */

import { type IncomingMessage, maxHeaderSize, type Server, type ServerResponse, STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import { AppError, type ErrorCode, type ErrorDetails, hinted } from '../core/error.ts';
import { log } from '../log.ts';
import type { Wording } from './facade.ts';
import { createRequestId, requestIdHeader } from './request-id.ts';

/** Node's parser codes; everything else is a plain 400. */
const refusals: Readonly<Record<string, [code: ErrorCode, message: string, details?: ErrorDetails]>> = {
  HPE_HEADER_OVERFLOW: [
    'headers_too_large',
    'The request headers are too large.',
    hinted(`All of them together may have ${maxHeaderSize} bytes: look for cookies, or a key that holds a whole body.`),
  ],
  HPE_CHUNK_EXTENSIONS_OVERFLOW: ['too_large', 'The chunk extensions of the request body are too large.'],
  ERR_HTTP_REQUEST_TIMEOUT: ['too_slow', 'The request did not arrive in time.'],
};

type ParseError = NodeJS.ErrnoException & { rawPacket?: Buffer };

/**
 * Node would answer by itself, in plain text, and even where an earlier request of the connection still waits for its
 * answer: a client would take that 400 for an email that is being accepted. Such a connection ends without a status.
 */
export function answerUnreadable(server: Server, wordingOf: (path: string) => Wording): void {
  const waiting = new WeakMap<Duplex, number>();
  server.on('request', (incoming: IncomingMessage, outgoing: ServerResponse) => {
    const { socket } = incoming;
    waiting.set(socket, (waiting.get(socket) ?? 0) + 1);
    outgoing.once('close', () => waiting.set(socket, (waiting.get(socket) ?? 1) - 1));
  });
  server.on('clientError', (error: ParseError, socket: Duplex) => {
    if (socket.writable && !waiting.get(socket)) socket.write(answerTo(error, wordingOf(pathIn(error.rawPacket))));
    socket.destroy();
  });
}

/** Of the request line, where it came in one piece with what cannot be read: whom it was meant for. */
function pathIn(packet: Buffer | undefined): string {
  const line = packet?.toString('latin1', 0, requestLineMax) ?? '';
  return /^[A-Z]{1,20} (\/[^\s?]*)/.exec(line)?.[1] ?? '';
}

const requestLineMax = 2_048;

function answerTo({ code = '' }: ParseError, wording: Wording): string {
  const [refusal, message, details] = refusals[code] ?? ['unreadable', 'The request is not valid HTTP.'];
  const { status, body, headers } = wording.renderError(new AppError(refusal, message, details));
  const request = createRequestId();
  log.unreadable(request, code);
  const more = { 'content-type': 'application/json; charset=utf-8', ...headers, [requestIdHeader]: request };
  const head = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    ...Object.entries(more).map(([name, value]) => `${name}: ${value}`),
    `content-length: ${Buffer.byteLength(body ?? '')}`,
    'connection: close',
  ];
  return `${head.join('\r\n')}\r\n\r\n${body}`;
}
