/** Clients of the server's SMTP port: one that speaks as it is told to, and nodemailer. */

import assert from 'node:assert/strict';
import net from 'node:net';
import nodemailer from 'nodemailer';
import { testKey } from './server.ts';

/** Says lines as they are, and hears whole replies. */
export class RawClient {
  readonly #socket: net.Socket;
  #heard = '';
  #waiting: (() => void) | null = null;
  isClosed = false;

  private constructor(socket: net.Socket) {
    this.#socket = socket;
    const wake = () => this.#waiting?.();
    socket.on('data', (chunk) => {
      this.#heard += chunk.toString('latin1');
      wake();
    });
    socket.on('error', () => {});
    socket.on('close', () => {
      this.isClosed = true;
      wake();
    });
  }

  /** Greeted, as is expected. */
  static async open(port: number, greeting = /^220 /): Promise<RawClient> {
    const client = new RawClient(net.connect(port, '127.0.0.1'));
    assert.match(await client.reply(), greeting);
    return client;
  }

  /** Greeted, and signed in. */
  static async signedIn(port: number, key = testKey): Promise<RawClient> {
    const client = await RawClient.open(port);
    await client.ask('EHLO client.example');
    await client.ask(`AUTH PLAIN ${Buffer.from(`\0any\0${key}`).toString('base64')}`);
    return client;
  }

  write(bytes: string | Uint8Array): void {
    this.#socket.write(bytes);
  }

  /** The last line of the next reply; empty where the connection ends without one. */
  async reply(): Promise<string> {
    return (await this.wholeReply()).split('\r\n').at(-2) ?? '';
  }

  /** All lines of it. */
  async wholeReply(): Promise<string> {
    for (;;) {
      const [found] = /^(?:\d{3}-.*\r\n)*\d{3} .*\r\n/.exec(this.#heard) ?? [];
      if (found !== undefined) {
        this.#heard = this.#heard.slice(found.length);
        return found;
      }
      if (this.isClosed) return '';
      await new Promise<void>((resolve) => {
        this.#waiting = resolve;
      });
    }
  }

  ask(line: string): Promise<string> {
    this.write(`${line}\r\n`);
    return this.reply();
  }

  /** MAIL, RCPT and DATA, up to where the mail may follow. @returns the reply to DATA. */
  async begin(to: readonly string[] = ['ann@example.org'], from = 'app@acme.example'): Promise<string> {
    await this.ask(`MAIL FROM:<${from}>`);
    for (const recipient of to) await this.ask(`RCPT TO:<${recipient}>`);
    return this.ask('DATA');
  }

  /** A whole mail. @returns the reply to its dot. */
  async send(mail: string | Uint8Array, to?: readonly string[], from?: string): Promise<string> {
    await this.begin(to, from);
    this.write(mail);
    return this.ask('\r\n.');
  }

  cut(): void {
    this.#socket.destroy();
  }

  get socket(): net.Socket {
    return this.#socket;
  }
}

/** Nodemailer, as an app uses it. */
export function mailer(port: number, options: Record<string, unknown> = {}) {
  return nodemailer.createTransport({
    host: '127.0.0.1',
    port,
    auth: { user: 'anybody', pass: testKey },
    tls: { rejectUnauthorized: false },
    ...options,
  });
}

/** The id in `250 2.0.0 queued as …`; empty where that is not what it says. */
export function idIn(reply: string): string {
  return /^250 2\.0\.0 queued as ([\da-f-]{36})$/.exec(reply)?.[1] ?? '';
}
