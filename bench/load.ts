/** The load generator, a process of its own: raw sockets, requests built beforehand, a closed loop on each connection. */

import { connect, type Socket } from 'node:net';
import { serveHelper } from './child.ts';

export type LoadOrder = {
  port: number;
  connections: number;
  /** Whole HTTP requests; the one for key number k is `requests[k % requests.length]`. */
  requests: Uint8Array[];
  /** Where the 12 digits of the key number stand, the same in all requests. */
  digitsAt: number;
  /** Key numbers are taken from here on; at `toKey` it starts again from `fromKey`. */
  fromKey: number;
  toKey: number;
  /** Stops starting requests after this time or this many, whichever comes first. */
  durationMs: number;
  countMax: number;
  /** On each connection, between the starts of two requests: a probe beside other load. Without it the next follows the answer. */
  everyMs?: number;
  /** `keep` remembers the body of each key's answer, `compare` wants the same bytes again. */
  bodies: 'ignore' | 'keep' | 'compare';
};

export type LoadReport = {
  answered: number;
  /** Until the last answer. */
  elapsedMs: number;
  latenciesMs: Float64Array;
};

const digits = 12;
const headEnd = Buffer.from('\r\n\r\n');
const lengthHeader = /\r\ncontent-length: (\d+)/i;

const kept = new Map<number, Buffer>();

class Load {
  readonly #order: LoadOrder;
  readonly #latencies: number[] = [];
  readonly #stopAt: number;
  #nextKey: number;
  #started = 0;

  constructor(order: LoadOrder) {
    this.#order = order;
    this.#nextKey = order.fromKey;
    this.#stopAt = performance.now() + order.durationMs;
  }

  async run(): Promise<LoadReport> {
    const { connections, port } = this.#order;
    const sockets = await Promise.all(Array.from({ length: connections }, () => open(port)));
    const startedAt = performance.now();
    await Promise.all(sockets.map((socket) => this.#drive(socket)));
    const elapsedMs = performance.now() - startedAt;
    for (const socket of sockets) socket.destroy();
    return { answered: this.#latencies.length, elapsedMs, latenciesMs: Float64Array.from(this.#latencies) };
  }

  #takeKey(): number | null {
    const { countMax, fromKey, toKey } = this.#order;
    if (this.#started >= countMax || performance.now() >= this.#stopAt) return null;
    this.#started += 1;
    const key = this.#nextKey;
    this.#nextKey = key + 1 < toKey ? key + 1 : fromKey;
    return key;
  }

  #drive(socket: Socket): Promise<void> {
    const { requests, digitsAt, everyMs } = this.#order;
    // Copies of its own: only what was answered may be written over.
    const buffers = requests.map((request) => Buffer.from(request));
    let key = 0;
    let sentAt = 0;
    let rest: Buffer | null = null;
    return new Promise((resolve, reject) => {
      const next = () => {
        const taken = this.#takeKey();
        if (taken === null) return resolve();
        key = taken;
        const buffer = buffers[key % buffers.length] as Buffer;
        buffer.write(String(key).padStart(digits, '0'), digitsAt, 'latin1');
        sentAt = performance.now();
        socket.write(buffer);
      };
      socket.on('error', reject);
      socket.on('close', () => reject(new Error('the server closed a connection')));
      socket.on('data', (chunk: Buffer) => {
        const bytes: Buffer = rest ? Buffer.concat([rest, chunk]) : chunk;
        const body = bodyOf(bytes);
        if (body === null) {
          rest = bytes;
          return;
        }
        rest = null;
        const tookMs = performance.now() - sentAt;
        this.#latencies.push(tookMs);
        const wrong = this.#wrongWith(key, bytes, body);
        if (wrong) return reject(new Error(wrong));
        if (everyMs === undefined) next();
        else setTimeout(next, Math.max(0, everyMs - tookMs));
      });
      next();
    });
  }

  #wrongWith(key: number, answer: Buffer, body: Buffer): string | null {
    if (answer.toString('latin1', 9, 12) !== '200')
      return `an answer was not 200: ${answer.toString('latin1', 0, 1_000)}`;
    if (this.#order.bodies === 'keep') kept.set(key, Buffer.from(body));
    if (this.#order.bodies === 'compare' && !kept.get(key)?.equals(body))
      return `the replay of ${key} differs: ${body}`;
    return null;
  }
}

/** Null while the answer is not whole. */
function bodyOf(bytes: Buffer): Buffer | null {
  const end = bytes.indexOf(headEnd);
  if (end < 0) return null;
  const length = lengthHeader.exec(bytes.toString('latin1', 0, end))?.[1];
  if (length === undefined) throw new Error(`an answer without Content-Length: ${bytes.toString('latin1', 0, end)}`);
  const whole = end + headEnd.length + Number(length);
  return bytes.length < whole ? null : bytes.subarray(end + headEnd.length, whole);
}

function open(port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    socket.once('error', reject);
    socket.once('connect', () => {
      socket.off('error', reject);
      resolve(socket);
    });
  });
}

serveHelper<LoadOrder, LoadReport | 'ready'>('ready', (order) => new Load(order).run());
