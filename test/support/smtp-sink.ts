/** An honest SMTP server that counts what it took by Message-ID, and misbehaves on request: the witness of every hand-off test. */

import { once } from 'node:events';
import net from 'node:net';
import { createSecureContext, type SecureContext, TLSSocket } from 'node:tls';
import { testCertificate, testCertificateKey } from './certificate.ts';
import { BodyReader } from './smtp-sink-body.ts';
import { type Act, type Mode, modes } from './smtp-sink-modes.ts';

/** One MAIL; `asked` fills with every RCPT, `to` with those that are taken up. */
export type Context = { connection: number; transaction: number; from: string; asked: string[]; to: string[] };

/** A final dot that was read, whatever is made of it. */
export type Dot = { transaction: number; messageId: string; to: string[]; bytes: () => Buffer };

export type SinkOptions = {
  port?: number;
  /** Instead of 127.0.0.1. */
  host?: string;
  /** Instead of localhost's. */
  certificate?: { key: string; cert: string };
  behave?: (context: Context) => Mode;
  onDot?: (dot: Dot) => void;
  /** It took responsibility for the mail of this transaction. */
  onTaken?: (transaction: number) => void;
  /** Called for each connection, counted from 1. */
  greet?: (connection: number) => Act | undefined;
  extensions?: string[];
  tls?: 'starttls' | 'implicit';
  /** True: what follows STARTTLS is not TLS. */
  breaksTls?: (connection: number) => boolean;
  auth?: { user: string; pass: string };
  /** Offers XOAUTH2, and takes these. */
  takesToken?: (user: string, token: string) => boolean;
  /** False: only count, for millions of mails. */
  keepBytes?: boolean;
};

export type Received = {
  messageId: string;
  from: string;
  to: string[];
  /** The whole MAIL command. */
  mail: string;
  /** Without dot-stuffing; empty where `keepBytes` is false. */
  bytes: Buffer;
  connection: number;
  transaction: number;
};

export type Sink = {
  readonly port: number;
  /** What it took responsibility for, whether or not it said so. */
  readonly received: Received[];
  readonly count: number;
  /** Final dots seen, of mails taken or not. */
  readonly dots: number;
  readonly connections: number;
  /** Connections that are open now. */
  readonly open: number;
  /** MAIL commands taken up. */
  readonly transactions: number;
  /** Every command line, without AUTH's secrets. */
  readonly commands: string[];
  copies(messageId: string): number;
  /** Message-IDs taken more than once. */
  duplicates(): string[];
  /** Resolves once the condition holds; it is looked at after whatever the sink reads. */
  until(condition: (sink: Sink) => boolean): Promise<void>;
  waitFor(count: number): Promise<void>;
  /** Body bytes read since the start, as they came over the wire, dots included. */
  readonly bodyBytes: number;
  behave: (context: Context) => Mode;
  close(): Promise<void>;
};

const allExtensions = ['PIPELINING', '8BITMIME', 'SMTPUTF8', 'SIZE 52428800', 'DSN', 'ENHANCEDSTATUSCODES'];
/** RFC 5321 4.5.3.1.4 gives a command 512 bytes, extensions some more. */
const lineBytesMax = 8192;
const crlf = Buffer.from('\r\n');

export async function startSink(options: SinkOptions = {}): Promise<Sink> {
  const ledger = new Ledger(options);
  const server = net.createServer({ noDelay: true }, (socket) => new Client(ledger, socket));
  server.listen(options.port ?? 0, options.host ?? '127.0.0.1');
  await once(server, 'listening');
  ledger.port = (server.address() as net.AddressInfo).port;
  ledger.close = async () => {
    const closed = once(server, 'close');
    server.close();
    for (const socket of ledger.sockets) socket.destroy();
    await closed;
  };
  return ledger;
}

/** What all connections share. */
class Ledger implements Sink {
  readonly options: SinkOptions;
  readonly received: Received[] = [];
  readonly commands: string[] = [];
  readonly sockets = new Set<net.Socket>();
  readonly secureContext: SecureContext;
  readonly #copies = new Map<string, number>();
  #watchers: Array<{ condition: (sink: Sink) => boolean; resolve: () => void }> = [];
  behave: (context: Context) => Mode;
  port = 0;
  count = 0;
  dots = 0;
  bodyBytes = 0;
  connections = 0;
  transactions = 0;
  close: () => Promise<void> = async () => {};

  constructor(options: SinkOptions) {
    this.options = options;
    this.secureContext = createSecureContext(options.certificate ?? { key: testCertificateKey, cert: testCertificate });
    this.behave = options.behave ?? (() => modes.accept);
  }

  get open(): number {
    return this.sockets.size;
  }

  get keepsBytes(): boolean {
    return this.options.keepBytes ?? true;
  }

  take(received: Received): void {
    this.count += 1;
    this.#copies.set(received.messageId, this.copies(received.messageId) + 1);
    if (this.keepsBytes) this.received.push(received);
  }

  copies(messageId: string): number {
    return this.#copies.get(messageId) ?? 0;
  }

  duplicates(): string[] {
    return [...this.#copies].filter(([, copies]) => copies > 1).map(([messageId]) => messageId);
  }

  until(condition: (sink: Sink) => boolean): Promise<void> {
    if (condition(this)) return Promise.resolve();
    return new Promise((resolve) => this.#watchers.push({ condition, resolve }));
  }

  waitFor(count: number): Promise<void> {
    return this.until((sink) => sink.count >= count);
  }

  changed(): void {
    if (this.#watchers.length === 0) return;
    this.#watchers = this.#watchers.filter(({ condition, resolve }) => {
      const isMet = condition(this);
      if (isMet) resolve();
      return !isMet;
    });
  }
}

/** One connection. Reads whole chunks; replies leave once a chunk, as PIPELINING wants (RFC 2920). */
class Client {
  readonly #ledger: Ledger;
  readonly #number: number;
  #socket: net.Socket;
  #rest: Buffer = Buffer.alloc(0);
  #out = '';
  #isHeld = false;
  #isGone = false;
  #isSecure: boolean;
  #isAuthenticated = false;
  #awaitsCredentials = false;
  /** It has said why it refuses a token. */
  #awaitsGivingUp = false;
  #body: BodyReader | null = null;
  #mode: Mode = {};
  #mail: string | null = null;
  #from = '';
  #asked: string[] = [];
  #to: string[] = [];
  #transaction = 0;

  constructor(ledger: Ledger, socket: net.Socket) {
    this.#ledger = ledger;
    this.#number = ++ledger.connections;
    this.#socket = socket;
    this.#isSecure = ledger.options.tls === 'implicit';
    ledger.sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => {
      this.#isGone = true;
      ledger.sockets.delete(socket);
      ledger.changed();
    });
    if (this.#isSecure) this.#secure();
    else this.#listen();
    this.#act(ledger.options.greet?.(this.#number), '220 sink ESMTP\r\n');
    this.#flush();
  }

  #listen(): void {
    this.#socket.on('data', (chunk: Buffer) => {
      this.#rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
      this.#readOn();
    });
  }

  #secure(): void {
    this.#isSecure = true;
    this.#rest = Buffer.alloc(0);
    this.#socket.removeAllListeners('data');
    this.#socket = new TLSSocket(this.#socket, { isServer: true, secureContext: this.#ledger.secureContext });
    this.#socket.on('error', () => {});
    this.#listen();
  }

  #readOn(): void {
    while (!this.#isHeld && !this.#isGone && this.#rest.length > 0) {
      if (!(this.#body ? this.#readBody(this.#body) : this.#readCommand())) break;
    }
    this.#flush();
    this.#ledger.changed();
  }

  #flush(): void {
    if (this.#out === '' || this.#isGone) return;
    this.#socket.write(this.#out);
    this.#out = '';
  }

  /** Does what the script says, else says `usual`. While it waits or stays silent, nothing more is read. */
  #act(act: Act | undefined, usual: string, taken?: () => void): void {
    if (act?.when) {
      this.#isHeld = true;
      void act.when.then(() => {
        this.#isHeld = false;
        this.#act({ ...act, when: undefined }, usual, taken);
        this.#readOn();
      });
      return;
    }
    const accepts = !act || (this.#isGone ? (act.acceptIfGone ?? act.accept) : act.accept);
    if (accepts) taken?.();
    this.#out += act ? (act.say ?? (act.leave ? '' : usual)) : usual;
    if (act?.leave) this.#leave(act.leave);
  }

  #leave(how: NonNullable<Act['leave']>): void {
    this.#flush();
    this.#isHeld = true;
    if (how === 'close') this.#socket.end();
    if (how === 'reset') this.#socket.resetAndDestroy();
  }

  #readBody(body: BodyReader): boolean {
    const chunk = this.#rest;
    const isFirst = body.length === 0;
    const after = body.read(chunk);
    this.#ledger.bodyBytes += chunk.length - (after?.length ?? 0);
    this.#rest = after ?? Buffer.alloc(0);
    if (isFirst && this.#mode.inside) this.#act(this.#mode.inside, '');
    if (after === null) return true;
    this.#body = null;
    if (this.#isHeld) return false;
    this.#ledger.dots += 1;
    this.#ledger.options.onDot?.({
      transaction: this.#transaction,
      messageId: body.messageId(),
      to: this.#to,
      bytes: () => body.bytes(),
    });
    this.#act(this.#mode.dot, '250 2.0.0 taken\r\n', this.#take(body));
    this.#mail = null;
    return true;
  }

  #take(body: BodyReader): () => void {
    const { keepsBytes } = this.#ledger;
    const received = {
      from: this.#from,
      to: this.#to,
      mail: this.#mail ?? '',
      connection: this.#number,
      transaction: this.#transaction,
    };
    return () => {
      const bytes = keepsBytes ? body.bytes() : Buffer.alloc(0);
      this.#ledger.options.onTaken?.(received.transaction);
      this.#ledger.take({ ...received, messageId: body.messageId(), bytes });
    };
  }

  #readCommand(): boolean {
    const end = this.#rest.indexOf(crlf);
    if (end < 0 && this.#rest.length <= lineBytesMax) return false;
    const line = this.#rest.toString('utf8', 0, end < 0 ? this.#rest.length : end);
    this.#rest = this.#rest.subarray(end < 0 ? this.#rest.length : end + 2);
    // A bare LF or CR is no line end (SMTP smuggling): such a line is no command either.
    if (end < 0 || /[\r\n]/.test(line)) this.#out += '500 5.5.2 no such line\r\n';
    else this.#obey(line);
    return true;
  }

  #obey(line: string): void {
    const verb = this.#awaitsCredentials || this.#awaitsGivingUp ? 'AUTH' : line.slice(0, 4).toUpperCase();
    if (this.#ledger.keepsBytes) this.#ledger.commands.push(verb === 'AUTH' ? 'AUTH' : line);
    if (this.#awaitsGivingUp) this.#refuseToken();
    else if (this.#awaitsCredentials) this.#authenticate(line);
    else if (verb === 'MAIL') this.#obeyMail(line);
    else if (verb === 'RCPT') this.#obeyRcpt(line);
    else if (verb === 'DATA') this.#obeyData();
    else this.#obeyRest(verb, line);
  }

  #obeyRest(verb: string, line: string): void {
    if (verb === 'EHLO') this.#out += this.#ehlo();
    else if (verb === 'HELO' || verb === 'NOOP') this.#out += '250 sink\r\n';
    else if (verb === 'STAR' && this.#offersStartTls()) this.#startTls();
    else if (verb === 'AUTH' && this.#offersAuth()) this.#obeyAuth(line);
    else if (verb === 'RSET') {
      this.#mail = null;
      this.#out += '250 2.0.0 forgotten\r\n';
    } else if (verb === 'QUIT') {
      this.#out += '221 2.0.0 bye\r\n';
      this.#leave('close');
    } else this.#out += '502 5.5.1 unknown command\r\n';
  }

  #obeyMail(line: string): void {
    const from = /^mail from:\s*<([^>]*)>/i.exec(line)?.[1];
    if (from === undefined) this.#out += '501 5.5.4 MAIL FROM:<address>\r\n';
    else if (this.#wantsAuth && !this.#isAuthenticated) this.#out += '530 5.7.0 authenticate first\r\n';
    else if (this.#mail !== null) this.#out += '503 5.5.1 nested MAIL\r\n';
    else {
      this.#from = from;
      this.#to = [];
      this.#asked = [];
      this.#transaction = ++this.#ledger.transactions;
      this.#mode = this.#ledger.behave({
        connection: this.#number,
        transaction: this.#transaction,
        from,
        asked: this.#asked,
        to: this.#to,
      });
      if (!this.#mode.mail) this.#mail = line;
      this.#act(this.#mode.mail, '250 2.1.0 ok\r\n');
    }
  }

  #obeyRcpt(line: string): void {
    const address = /^rcpt to:\s*<([^>]+)>/i.exec(line)?.[1];
    const reply = address === undefined ? '501 5.5.4 RCPT TO:<address>' : this.#mode.rcpt?.(address);
    if (address !== undefined) this.#asked.push(address);
    if (this.#mail === null) this.#out += '503 5.5.1 MAIL first\r\n';
    else if (reply !== undefined && !reply.startsWith('2')) this.#out += `${reply}\r\n`;
    else {
      this.#to.push(address ?? '');
      this.#out += `${reply ?? '250 2.1.5 ok'}\r\n`;
    }
  }

  #obeyData(): void {
    const isReady = this.#mail !== null && this.#to.length > 0;
    if (!isReady && this.#mode.data === undefined) {
      this.#out += '503 5.5.1 no valid recipients\r\n';
      return;
    }
    const act = this.#mode.data;
    if (!act || act.say?.startsWith('3')) this.#body = new BodyReader();
    this.#act(act, '354 go ahead\r\n');
  }

  #ehlo(): string {
    const lines = ['sink', ...(this.#ledger.options.extensions ?? allExtensions)];
    if (this.#offersStartTls()) lines.push('STARTTLS');
    if (this.#offersAuth()) lines.push(this.#ledger.options.takesToken ? 'AUTH LOGIN XOAUTH2' : 'AUTH PLAIN');
    return lines.map((line, index) => `250${index === lines.length - 1 ? ' ' : '-'}${line}\r\n`).join('');
  }

  #offersStartTls(): boolean {
    return this.#ledger.options.tls === 'starttls' && !this.#isSecure;
  }

  #offersAuth(): boolean {
    return this.#wantsAuth && !this.#offersStartTls();
  }

  #startTls(): void {
    this.#out += '220 2.0.0 go ahead\r\n';
    this.#flush();
    if (this.#ledger.options.breaksTls?.(this.#number)) {
      this.#out += 'this is not TLS\r\n';
      this.#leave('close');
    } else this.#secure();
  }

  get #wantsAuth(): boolean {
    return this.#ledger.options.auth !== undefined || this.#ledger.options.takesToken !== undefined;
  }

  #obeyXoauth2(initial: string): void {
    const parts = Buffer.from(initial, 'base64').toString().split('\x01');
    const [user = '', token = ''] = parts.map((one) => one.replace(/^(user=|auth=Bearer )/, ''));
    const isWhole = parts.length === 4 && parts[2] === '' && parts[3] === '';
    this.#isAuthenticated = isWhole && (this.#ledger.options.takesToken?.(user, token) ?? false);
    this.#awaitsGivingUp = !this.#isAuthenticated;
    this.#out += this.#isAuthenticated ? '235 2.7.0 welcome\r\n' : '334 eyJzdGF0dXMiOiI0MDEifQ==\r\n';
  }

  #refuseToken(): void {
    this.#awaitsGivingUp = false;
    this.#out += '535 5.7.3 Authentication unsuccessful\r\n';
  }

  #obeyAuth(line: string): void {
    const [, mechanism, initial] = line.split(' ');
    if (mechanism === 'XOAUTH2' && this.#ledger.options.takesToken) this.#obeyXoauth2(initial ?? '');
    else if (mechanism?.toUpperCase() !== 'PLAIN') this.#out += '504 5.5.4 PLAIN only\r\n';
    else if (initial !== undefined) this.#authenticate(initial);
    else {
      this.#awaitsCredentials = true;
      this.#out += '334 \r\n';
    }
  }

  #authenticate(encoded: string): void {
    this.#awaitsCredentials = false;
    const [, user, pass] = Buffer.from(encoded, 'base64').toString().split('\0');
    this.#isAuthenticated = user === this.#ledger.options.auth?.user && pass === this.#ledger.options.auth?.pass;
    // Echoes what it was told, as some relays do: the client must not pass that on.
    this.#out += this.#isAuthenticated ? '235 2.7.0 welcome\r\n' : `535 5.7.8 bad credentials: ${encoded} ${pass}\r\n`;
  }
}
