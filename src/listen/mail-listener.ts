/** Listens for mail as a part: on one address, in the clear with STARTTLS or in TLS from the start, and closes gracefully. */

import type { AddressInfo } from 'node:net';
import { SMTPServer, type SMTPServerOptions, type SMTPServerSession } from 'smtp-server';
import { log } from '../log.ts';
import { MailSessions, type SessionParts } from './mail-session.ts';

export type MailListenerOptions = SessionParts & {
  host: string;
  port: number;
  /** In TLS from the start. */
  isSecure: boolean;
  /** PEM; null: in the clear, for this machine alone. */
  tls: { cert: string; key: string } | null;
  /** What it calls itself. */
  name: string;
  bytesMax: number;
  recipientsMax: number;
};

/** Each holds a descriptor, and a few kB. */
const clientsMax = 1_000;
/** A client that says nothing for so long is gone; whoever waits for us is waited for. */
const idleMs = 120_000;
/** RFC 5321 4.5.3.1.4 gives a command 512 octets, its extensions some more (an AUTH has a key in it). */
const commandBytesMax = 4_096;
/** How long a stop waits for mails under way, and how often it looks for connections that fell idle. */
const closeGraceMs = 5_000;
const closeLookMs = 20;

export class MailListener {
  readonly #options: MailListenerOptions;
  readonly #server: SMTPServer;
  readonly #busy = new Set<string>();

  constructor(options: MailListenerOptions) {
    this.#options = options;
    const { handlers } = new MailSessions(options, {
      cut: (session) => this.#cut(session),
      sendAway: ({ id }) => this.#sendAway(id, '4.4.2 Nobody has signed in for too long.'),
      busy: ({ id }, isBusy) => (isBusy ? this.#busy.add(id) : this.#busy.delete(id)),
    });
    this.#server = new SMTPServer({ ...settingsOf(options), ...handlers });
    // What a connection's end comes to is told to whoever works on its mail.
    this.#server.on('error', (error) => log.mailConnectionFailed(error.message));
  }

  /** @throws Error when host and port are not to be had. */
  start(): Promise<void> {
    const { host, port } = this.#options;
    return new Promise((resolve, reject) => {
      const { server } = this.#server;
      server.once('error', (error) =>
        reject(new Error(`Cannot listen for mail on ${host}:${port}: ${error.message}.`)),
      );
      server.listen(port, host, () => resolve());
    });
  }

  /** Once started: the port that was had where none was asked for. */
  get port(): number {
    return (this.#server.server.address() as AddressInfo).port;
  }

  /** Mails under way are answered; who is between two is told to come back. What takes too long ends without a reply. */
  stop(): Promise<void> {
    const sendAllAway = () => this.#sendAway(null, '4.3.2 The server stops: come back in a moment.');
    const closing = setInterval(sendAllAway, closeLookMs);
    const grace = setTimeout(() => this.#cutAll(), closeGraceMs);
    return new Promise((resolve) => {
      this.#server.close(() => {
        clearInterval(closing);
        clearTimeout(grace);
        resolve();
      });
      sendAllAway();
    });
  }

  #cutAll(): void {
    for (const { _socket } of this.#server.connections) _socket.destroy();
  }

  /** The one of this id, or all; not those over which a mail is under way. */
  #sendAway(id: string | null, why: string): void {
    for (const connection of this.#server.connections) {
      if (!this.#busy.has(connection.id) && (id ?? connection.id) === connection.id) connection.send(421, why);
    }
  }

  #cut({ id }: SMTPServerSession): void {
    for (const connection of this.#server.connections) if (connection.id === id) connection._socket.destroy();
  }
}

function settingsOf({ isSecure, tls, name, bytesMax, recipientsMax }: MailListenerOptions): SMTPServerOptions {
  return {
    secure: isSecure,
    ...(tls ?? {}),
    name,
    size: bytesMax,
    maxRecipients: recipientsMax,
    maxClients: clientsMax,
    maxCommandLength: commandBytesMax,
    socketTimeout: idleMs,
    // Who may do what is decided here, recipient by recipient.
    authOptional: true,
    allowInsecureAuth: true,
    authMethods: ['PLAIN', 'LOGIN'],
    hideDSN: false,
    disableReverseLookup: true,
    disabledCommands: tls && !isSecure ? [] : ['STARTTLS'],
    logger: false,
  };
}
