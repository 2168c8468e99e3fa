/** One request whose last byte waits for the gate: until then nothing was asked of the other side, whatever it has read. */

import http from 'node:http';
import https from 'node:https';

export type Ask = {
  options: https.RequestOptions;
  isSecure: boolean;
  body: Buffer;
  /** Asked once, when all but the last byte has left. */
  gate: () => Promise<boolean>;
  /** For everything up to the gate together, and for the answer. */
  connectMs: number;
  answerMs: number;
};

export type Answer = { status: number; headers: http.IncomingHttpHeaders; text: string };

/** `early`: it was answered before the last byte left. `unasked`: not answered, and the last byte has not left. */
export type Asked =
  | { kind: 'early'; answer: Answer }
  | { kind: 'unasked'; error: Error; isStale: boolean; wasGated: boolean }
  | { kind: 'shut' }
  | { kind: 'answered'; answer: Answer }
  | { kind: 'silent'; error: Error };

/** Enough for any answer to one mail. */
const answerBytesMax = 64 * 1024;

/** Never rejects. */
export async function ask({ options, isSecure, body, gate, connectMs, answerMs }: Ask): Promise<Asked> {
  const request = (isSecure ? https : http).request({
    ...options,
    headers: { ...options.headers, 'content-length': body.length },
  });
  const exchange = new Exchange(request);
  try {
    const isReady = await exchange.within(connectMs, exchange.write(body.subarray(0, -1)));
    if (isReady !== 'done') return await exchange.beforeGate(isReady, false);
    const opened = await openedBy(gate);
    if (opened === false) return { kind: 'shut' };
    if (opened instanceof Error) return { kind: 'unasked', error: opened, isStale: false, wasGated: true };
    // What has arrived meanwhile is an answer to a request that is not whole, or the end of the connection.
    await new Promise((resolve) => setImmediate(resolve));
    if (exchange.isOver) return await exchange.beforeGate('over', true);
    request.end(body.subarray(-1));
    const answer = await exchange.answer(answerMs);
    return answer instanceof Error ? { kind: 'silent', error: answer } : { kind: 'answered', answer };
  } finally {
    exchange.end();
  }
}

async function openedBy(gate: () => Promise<boolean>): Promise<boolean | Error> {
  try {
    return (await gate()) === true;
  } catch (error) {
    return new Error(`gate: ${error instanceof Error ? error.message : String(error)}`);
  }
}

class Exchange {
  readonly #request: http.ClientRequest;
  readonly #over: Promise<void>;
  #response: Promise<Answer | Error> | null = null;
  #error: Error | null = null;
  #isRead = false;

  constructor(request: http.ClientRequest) {
    this.#request = request;
    this.#over = new Promise((resolve) => {
      request.on('response', (response) => {
        this.#response = read(response).then((answer) => {
          this.#isRead = !(answer instanceof Error);
          return answer;
        });
        resolve();
      });
      // Stays on until the end: an error without a listener would end the process.
      request.on('error', (error) => {
        this.#error ??= error;
        resolve();
      });
      request.on('close', () => {
        this.#error ??= new Error('the connection ended without an answer');
        resolve();
      });
    });
  }

  get isOver(): boolean {
    return this.#response !== null || this.#error !== null;
  }

  /** Resolves when the system has it. */
  write(bytes: Buffer): Promise<void> {
    return new Promise((resolve) => {
      this.#request.write(bytes, () => resolve());
    });
  }

  async within(ms: number, work: Promise<void>): Promise<'done' | 'over' | 'late'> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<'late'>((resolve) => {
      timer = setTimeout(() => resolve('late'), ms);
    });
    const first = await Promise.race([this.#over.then(() => 'over' as const), work.then(() => 'done' as const), late]);
    clearTimeout(timer);
    return this.isOver ? 'over' : first;
  }

  async beforeGate(why: 'over' | 'late', wasGated: boolean): Promise<Asked> {
    const answer = this.#response && (await this.#response);
    if (answer && !(answer instanceof Error)) return { kind: 'early', answer };
    const error = answer || (this.#error ?? new Error(why === 'late' ? 'no connection in time' : 'no answer'));
    return { kind: 'unasked', error, isStale: this.#request.reusedSocket && why === 'over', wasGated };
  }

  async answer(ms: number): Promise<Answer | Error> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<Error>((resolve) => {
      timer = setTimeout(() => resolve(new Error(`no answer within ${ms} ms`)), ms);
    });
    const answered = this.#over.then(() => this.#response ?? this.#error ?? new Error('no answer'));
    const first = await Promise.race([answered, late]);
    clearTimeout(timer);
    return first;
  }

  /** A connection whose answer was read whole may be used again; any other is not listened to any more. */
  end(): void {
    if (!this.#isRead) this.#request.destroy();
  }
}

function read(response: http.IncomingMessage): Promise<Answer | Error> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    response.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes <= answerBytesMax) chunks.push(chunk);
    });
    response.on('error', resolve);
    response.on('close', () => resolve(new Error('the answer was cut off')));
    response.on('end', () => {
      // Cut off in the middle it ends, too.
      if (!response.complete) return resolve(new Error('the answer was cut off'));
      const { statusCode: status = 0, headers } = response;
      return resolve({ status, headers, text: Buffer.concat(chunks).toString('utf8') });
    });
  });
}
