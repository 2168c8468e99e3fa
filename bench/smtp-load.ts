/** The load generator over SMTP, a process of its own: raw sockets that are signed in, and one mail after the other on each connection. */

import { connect, type Socket } from 'node:net';
import { serveHelper } from './child.ts';
import type { LoadReport } from './load.ts';

export type SmtpLoadOrder = {
  port: number;
  apiKey: string;
  connections: number;
  from: string;
  to: string;
  /** A mail without its key, from its first header field to before its dot. */
  mail: string;
  /** Keys are counted from here on. */
  fromKey: number;
  durationMs: number;
};

class Session {
  readonly #socket: Socket;
  #heard = '';
  #wake: () => void = () => {};

  constructor(port: number) {
    this.#socket = connect({ port, host: '127.0.0.1', noDelay: true });
    this.#socket.on('data', (chunk) => {
      this.#heard += chunk.toString('latin1');
      this.#wake();
    });
    this.#socket.on('close', () => this.#wake());
  }

  /** Writes, and waits for the last of so many replies. @throws Error where it does not begin with `code`. */
  async say(text: string, code: string, replies = 1): Promise<void> {
    if (text !== '') this.#socket.write(text);
    let last = '';
    for (let heard = 0; heard < replies; ) {
      const end = /^(?:\d{3}-.*\r\n)*\d{3} .*\r\n/.exec(this.#heard);
      if (end) {
        last = end[0];
        this.#heard = this.#heard.slice(last.length);
        heard += 1;
      } else if (this.#socket.destroyed) throw new Error('the server hung up');
      else await new Promise<void>((resolve) => (this.#wake = resolve));
    }
    if (!last.startsWith(code)) throw new Error(`${code} was expected, not ${last}`);
  }

  end(): void {
    this.#socket.destroy();
  }
}

async function run(order: SmtpLoadOrder): Promise<LoadReport> {
  const latencies: number[] = [];
  const sessions = await Promise.all(Array.from({ length: order.connections }, () => open(order)));
  const startedAt = performance.now();
  const stopAt = startedAt + order.durationMs;
  let nextKey = order.fromKey;
  const envelope = `MAIL FROM:<${order.from}>\r\nRCPT TO:<${order.to}>\r\nDATA\r\n`;
  await Promise.all(
    sessions.map(async (session) => {
      while (performance.now() < stopAt) {
        const since = performance.now();
        await session.say(envelope, '354', 3);
        await session.say(`Resend-Idempotency-Key: bench-${nextKey++}\r\n${order.mail}\r\n.\r\n`, '250');
        latencies.push(performance.now() - since);
      }
    }),
  );
  const elapsedMs = performance.now() - startedAt;
  for (const session of sessions) session.end();
  return { answered: latencies.length, elapsedMs, latenciesMs: Float64Array.from(latencies) };
}

async function open({ port, apiKey }: SmtpLoadOrder): Promise<Session> {
  const session = new Session(port);
  await session.say('', '220');
  await session.say('EHLO bench.example\r\n', '250');
  await session.say(`AUTH PLAIN ${Buffer.from(`\0any\0${apiKey}`).toString('base64')}\r\n`, '235');
  return session;
}

serveHelper<SmtpLoadOrder, LoadReport | 'ready'>('ready', run);
