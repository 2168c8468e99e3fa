/** The raw bytes of a request: needed whole for the fingerprint, whatever the method and headers claim. */

import type { IncomingMessage } from 'node:http';
import { AppError } from '../core/error.ts';

const empty = Buffer.alloc(0);

/** Raised when the client went away in the middle of its request: there is nobody to answer. */
export class ClientGone extends Error {
  override readonly name = 'ClientGone';
}

/** @throws AppError `too_large`; ClientGone. */
export function readBody(incoming: IncomingMessage, bytesMax: number): Promise<Uint8Array> {
  if (Number(incoming.headers['content-length'] ?? 0) > bytesMax) return Promise.reject(tooLarge(incoming, bytesMax));
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    incoming.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size <= bytesMax) chunks.push(chunk);
      else reject(tooLarge(incoming, bytesMax));
    });
    incoming.once('end', () => resolve(chunks.length === 1 ? (chunks[0] ?? empty) : Buffer.concat(chunks)));
    incoming.once('error', (cause) => reject(new ClientGone('the request ended early', { cause })));
  });
}

/** The rest is read and thrown away, so that the client gets to read the answer. */
function tooLarge(incoming: IncomingMessage, bytesMax: number): AppError {
  incoming.resume();
  return new AppError('too_large', `The request body must have at most ${bytesMax} bytes.`);
}

/** Undefined where there is no body (some SDKs send a JSON content type with none). @throws AppError `invalid_json` */
export function parseJson(body: Uint8Array): unknown {
  if (body.length === 0) return undefined;
  try {
    return JSON.parse(Buffer.from(body.buffer, body.byteOffset, body.length).toString('utf8'));
  } catch (cause) {
    throw new AppError('invalid_json', `The request body is not valid JSON: ${(cause as Error).message}`, { cause });
  }
}
