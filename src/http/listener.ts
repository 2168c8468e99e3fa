/** The HTTP server as a part: listens on host and port, and closes gracefully. */

import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createAdaptorServer } from '@hono/node-server';
import type { Fetch } from './app.ts';
import type { Direct } from './direct.ts';
import type { Wording } from './facade.ts';
import { answerUnreadable } from './unreadable.ts';

export type ListenerOptions = {
  host: string;
  port: number;
  bodyTimeoutMs: number;
  fetch: Fetch;
  /** Asked before it. */
  direct: Direct;
  /** Who would have been asked below a path: what is no HTTP is refused in their words. */
  wordingOf: (path: string) => Wording;
};

/** How long a stop waits for requests under way, and how often it looks for connections that fell idle. */
const closeGraceMs = 5_000;
const closeLookMs = 20;
/**
 * Longer than anybody in front of it keeps a connection (load balancers and nginx 60 s, Go's client 90 s): who closes first is
 * then the client, and no request is sent into a connection that is just being closed. Node's own is 5 s.
 */
const idleMs = 120_000;
/** More than these are not kept: each holds a descriptor, and about 20 kB. */
const connectionsMax = 10_000;

export class Listener {
  readonly #options: ListenerOptions;
  readonly #http: Server;

  constructor(options: ListenerOptions) {
    this.#options = options;
    this.#http = createAdaptorServer({
      fetch: options.fetch as never,
      createServer: ((settings: object, framework: RequestListener) =>
        createServer(settings, (incoming, outgoing) => {
          if (!options.direct(incoming, outgoing)) framework(incoming, outgoing);
        })) as typeof createServer,
    }) as Server;
    this.#http.requestTimeout = options.bodyTimeoutMs;
    this.#http.keepAliveTimeout = idleMs;
    this.#http.maxConnections = connectionsMax;
    answerUnreadable(this.#http, options.wordingOf);
  }

  /** @throws Error when host and port are not to be had. */
  start(): Promise<void> {
    const { host, port } = this.#options;
    return new Promise((resolve, reject) => {
      this.#http.once('error', (error) => reject(cannotListen(host, port, error)));
      this.#http.listen(port, host, () => resolve());
    });
  }

  /** Once started: on the port that was had where none was asked for. */
  get url(): string {
    const { host } = this.#options;
    const shown = host === '0.0.0.0' || host === '::' ? 'localhost' : host.includes(':') ? `[${host}]` : host;
    return `http://${shown}:${(this.#http.address() as AddressInfo).port}`;
  }

  /**
   * Requests under way are answered; connections are closed as they fall idle. One that never sent anything, or stalls in
   * its body, counts as busy and would keep the stop waiting for ever: it ends without a status.
   */
  stop(): Promise<void> {
    const closing = setInterval(() => this.#http.closeIdleConnections(), closeLookMs);
    const grace = setTimeout(() => this.#http.closeAllConnections(), closeGraceMs);
    return new Promise((resolve) => {
      this.#http.close(() => {
        clearInterval(closing);
        clearTimeout(grace);
        resolve();
      });
      this.#http.closeIdleConnections();
    });
  }
}

function cannotListen(host: string, port: number, error: NodeJS.ErrnoException): Error {
  const next = listenAdvice[error.code ?? ''];
  return new Error(`Cannot listen on ${host}:${port}: ${error.message}.${next ? ` ${next}` : ''}`, { cause: error });
}

const listenAdvice: Readonly<Record<string, string>> = {
  EADDRINUSE: 'Another program listens there: stop it, or set PORT to a free one.',
  EACCES: 'Ports below 1024 are for root: set PORT to a higher one and let a proxy take 443.',
  EADDRNOTAVAIL: 'HOST must be an address of this machine: 127.0.0.1 for itself alone, 0.0.0.0 for all.',
  ENOTFOUND: 'HOST must be an address of this machine: 127.0.0.1 for itself alone, 0.0.0.0 for all.',
};
