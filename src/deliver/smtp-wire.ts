/** One connection to a relay: commands go out, one reply for each comes in. Once it has ended, no byte leaves. */

import net from 'node:net';
import tls from 'node:tls';
import { ReplyQueue } from './smtp-replies.ts';

/** Keeps the mappings of routers between us and a relay that takes its time. */
const keepAliveDelayMs = 30_000;
/** A whole round trip by satellite, and a family of addresses that leads nowhere costs no more than that. */
const addressTimeoutMs = 1_000;

/** The relay was given time to answer, and did not. */
export class Silence extends Error {}

type Place = { host: string; port: number; localAddress?: string };

type Waiter = { resolve: (reply: string) => void; reject: (error: Error) => void };

export class Wire {
  /** Resolves when the session is over, whoever ended it. */
  readonly ended: Promise<void>;
  #socket: net.Socket;
  #replies = new ReplyQueue();
  #waiter: Waiter | null = null;
  #end: Error | null = null;
  #resolveEnded: () => void = () => {};
  #pendingWrites = 0;
  #onWritten: () => void = () => {};

  /** `silenceMs`: without a byte in either direction for so long, the session ends. */
  constructor(socket: net.Socket, silenceMs: number) {
    this.ended = new Promise((resolve) => {
      this.#resolveEnded = resolve;
    });
    this.#socket = socket;
    socket.setKeepAlive(true, keepAliveDelayMs);
    // Commands are written in the batches they belong to: nothing is to be waited for.
    socket.setNoDelay(true);
    socket.setTimeout(silenceMs);
    this.#listen();
  }

  /** Tries the addresses of the host in turn, both families (RFC 8305). */
  static to({ host, port, localAddress }: Place, silenceMs: number): Wire {
    const family = { autoSelectFamily: true, autoSelectFamilyAttemptTimeout: addressTimeoutMs };
    const from = localAddress === undefined ? {} : { localAddress };
    return new Wire(net.connect({ host, port, ...family, ...from }), silenceMs);
  }

  async connected(): Promise<void> {
    if (this.#socket.connecting) await this.#happens('connect');
  }

  get isSecure(): boolean {
    return this.#socket instanceof tls.TLSSocket;
  }

  get isAlive(): boolean {
    return this.#end === null && this.#socket.writable;
  }

  /** The relay has said more than was asked, be it half a reply: what it answers next cannot be told apart. */
  get isUnread(): boolean {
    return this.#replies.isUnread;
  }

  get hasReply(): boolean {
    return this.#replies.hasReply;
  }

  /** The next reply. Rejects with the reason if the session ends before it is whole. */
  async reply(): Promise<string> {
    const reply = this.#replies.take();
    if (reply !== undefined) return reply;
    if (this.#end !== null) throw this.#end;
    return new Promise((resolve, reject) => {
      this.#waiter = { resolve, reject };
    });
  }

  ask(command: string): Promise<string> {
    this.write(`${command}\r\n`);
    return this.reply();
  }

  write(bytes: string | Uint8Array): void {
    if (!this.isAlive) return;
    this.#pendingWrites += 1;
    this.#socket.write(bytes, () => {
      this.#pendingWrites -= 1;
      if (this.#pendingWrites === 0) this.#onWritten();
    });
  }

  /** In one call of the system. */
  writeAll(pieces: readonly Uint8Array[]): void {
    this.#socket.cork();
    for (const piece of pieces) this.write(piece);
    this.#socket.uncork();
  }

  /**
   * Resolves when the system has every byte, so that a failure until then is known to have sent no later one; or when the session
   * has ended, since a write that hangs below us might never be called back.
   */
  async written(): Promise<void> {
    if (this.#pendingWrites === 0 || this.#end !== null) return;
    await new Promise<void>((resolve) => {
      this.#onWritten = resolve;
    });
  }

  /** What was said in plain text is forgotten (RFC 3207 6): anybody may have said it. Rejects where TLS does not come about. */
  async secure(options: tls.ConnectionOptions, silenceMs: number): Promise<void> {
    this.#unlisten();
    this.#replies = new ReplyQueue();
    const socket = tls.connect({ ...options, socket: this.#socket });
    this.#socket = socket;
    socket.setTimeout(silenceMs);
    this.#listen();
    await this.#happens('secureConnect');
  }

  /** 0: for ever. */
  setSilence(ms: number): void {
    this.#socket.setTimeout(ms);
  }

  /** At once: what the system does not have yet never leaves. */
  destroy(reason: Error = new Error('Connection closed')): void {
    if (this.#end !== null) return;
    this.#end = reason;
    this.#socket.destroy();
    this.#waiter?.reject(reason);
    this.#waiter = null;
    this.#onWritten();
    this.#resolveEnded();
  }

  readonly #onData = (chunk: Buffer): void => {
    if (this.#end !== null) return;
    const isBounded = this.#replies.push(chunk);
    if (this.#waiter && this.#replies.hasReply) {
      const { resolve } = this.#waiter;
      this.#waiter = null;
      resolve(this.#replies.take() ?? '');
    }
    if (!isBounded) this.destroy(new Error('The relay said more than a reply may hold'));
  };

  readonly #onError = (error: Error): void => this.destroy(worded(error));
  readonly #onTimeout = (): void => this.destroy(new Silence('Timeout'));
  readonly #onClose = (): void => this.destroy(new Error('Connection closed unexpectedly'));

  async #happens(event: 'connect' | 'secureConnect'): Promise<void> {
    const happened = new Promise<void>((resolve) => this.#socket.once(event, resolve));
    await Promise.race([happened, this.ended]);
    if (this.#end !== null) throw this.#end;
  }

  #listen(): void {
    this.#socket.on('data', this.#onData);
    this.#socket.on('error', this.#onError);
    this.#socket.on('timeout', this.#onTimeout);
    this.#socket.on('end', this.#onClose);
    this.#socket.on('close', this.#onClose);
  }

  /** All but `error`, which would end the process where nobody listened. */
  #unlisten(): void {
    this.#socket.setTimeout(0);
    this.#socket.off('data', this.#onData);
    this.#socket.off('timeout', this.#onTimeout);
    this.#socket.off('end', this.#onClose);
    this.#socket.off('close', this.#onClose);
  }
}

/** Where each address failed, Node's error has no words of its own. */
function worded(error: Error): Error {
  if (!(error instanceof AggregateError)) return error;
  const all = error.errors as NodeJS.ErrnoException[];
  return Object.assign(new Error(all.map((one) => one.message).join('; '), { cause: error }), { code: all[0]?.code });
}
