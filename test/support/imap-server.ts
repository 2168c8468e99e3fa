/** A small IMAP server (RFC 3501, RFC 2177) over one folder in memory: enough for a client that reads, marks and waits. */

import net from 'node:net';
import tls from 'node:tls';

export type StoredMail = { uid: number; bytes: Buffer; flags: Set<string> };

export type ImapServerOptions = {
  user?: string;
  password?: string;
  folder?: string;
  /** Without it a client has to ask. */
  hasIdle?: boolean;
  /** Tokens are asked for instead of a password (XOAUTH2). */
  takesToken?: (token: string) => boolean;
  /** TLS from the first byte. */
  tls?: { key: string; cert: string };
};

type Kept = Required<Omit<ImapServerOptions, 'takesToken' | 'tls'>> & Pick<ImapServerOptions, 'takesToken'>;

export class ImapServer {
  readonly mails: StoredMail[] = [];
  /** Logins that were let in, and commands as they came, without what is secret. */
  logins = 0;
  readonly commands: string[] = [];
  uidValidity = 1;
  /** Each connection is cut as soon as this many more mails were sent out. Null: none is. */
  cutAfterMails: number | null = null;
  readonly options: Kept;
  readonly #isSecure: boolean;
  readonly #server: net.Server;
  readonly #sessions = new Set<Session>();
  #nextUid = 1;

  constructor({ tls: secure, ...options }: ImapServerOptions = {}) {
    this.options = { user: 'bounces', password: 'p@ss:w/rd', folder: 'INBOX', hasIdle: true, ...options };
    const greet = (socket: net.Socket) => this.#greet(socket);
    this.#isSecure = secure !== undefined;
    this.#server = secure ? tls.createServer(secure, greet) : net.createServer(greet);
  }

  async start(): Promise<this> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return this;
  }

  get url(): string {
    const { user, password, folder, takesToken } = this.options;
    const { port } = this.#server.address() as net.AddressInfo;
    const [u, p, f] = [user, password, folder].map(encodeURIComponent);
    const place = `${takesToken ? u : `${u}:${p}`}@127.0.0.1:${port}/${f}`;
    return this.#isSecure ? `imaps://${place}?` : `imap://${place}?starttls=never`;
  }

  get open(): number {
    return this.#sessions.size;
  }

  deliver(mail: string | Uint8Array): number {
    const uid = this.#nextUid++;
    this.mails.push({ uid, bytes: Buffer.from(mail), flags: new Set() });
    for (const session of this.#sessions) session.tell(`* ${this.mails.length} EXISTS`);
    return uid;
  }

  /** As after a repair: all mails are there, under other UIDs. */
  renumber(): void {
    this.uidValidity += 1;
    this.#nextUid = 1;
    for (const mail of this.mails) mail.uid = this.#nextUid++;
  }

  cutAll(): void {
    for (const session of this.#sessions) session.cut();
  }

  async stop(): Promise<void> {
    this.cutAll();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  get uidNext(): number {
    return this.#nextUid;
  }

  #greet(socket: net.Socket): void {
    const session = new Session(this, socket);
    this.#sessions.add(session);
    socket.on('close', () => this.#sessions.delete(session));
  }
}

class Session {
  readonly #server: ImapServer;
  readonly #socket: net.Socket;
  #heard = '';
  /** What the next line answers: a login that began, or an IDLE. */
  #awaiting: { tag: string; what: 'login' | 'done' } | null = null;
  #isSelected = false;

  constructor(server: ImapServer, socket: net.Socket) {
    this.#server = server;
    this.#socket = socket;
    socket.on('error', () => {});
    socket.on('data', (chunk) => this.#hear(chunk.toString('latin1')));
    this.#say(`* OK [CAPABILITY ${this.#capabilities}] ready`);
  }

  get #capabilities(): string {
    const mechanism = this.#server.options.takesToken ? 'XOAUTH2' : 'PLAIN';
    return `IMAP4rev1 AUTH=${mechanism}${this.#server.options.hasIdle ? ' IDLE' : ''}`;
  }

  tell(line: string): void {
    if (this.#isSelected) this.#say(line);
  }

  cut(): void {
    this.#socket.destroy();
  }

  #say(line: string | Buffer): void {
    this.#socket.write(line);
    this.#socket.write('\r\n');
  }

  #hear(text: string): void {
    this.#heard += text;
    for (let end = this.#heard.indexOf('\r\n'); end !== -1; end = this.#heard.indexOf('\r\n')) {
      const line = this.#heard.slice(0, end);
      this.#heard = this.#heard.slice(end + 2);
      if (!this.#socket.destroyed) this.#answer(line);
    }
  }

  #answer(line: string): void {
    const awaiting = this.#awaiting;
    this.#awaiting = null;
    if (awaiting) {
      this.#say(`${awaiting.tag} ${awaiting.what === 'done' ? 'OK done' : this.#login(line)}`);
      return;
    }
    const [, tag = '*', name = '', rest = ''] = /^(\S+) ((?:UID )?\S+) ?(.*)$/i.exec(line) ?? [];
    this.#server.commands.push(`${name.toUpperCase()} ${rest}`.trim());
    const ended = this.#command(tag, name.toUpperCase(), rest);
    if (ended !== null) this.#say(`${tag} ${ended}`);
    if (name.toUpperCase() === 'LOGOUT') this.#socket.end();
  }

  /** @returns how it ended; null: it has not, or the connection has. */
  #command(tag: string, name: string, rest: string): string | null {
    const { options } = this.#server;
    switch (name) {
      case 'AUTHENTICATE':
        return this.#await(tag, 'login', '');
      case 'IDLE':
        return this.#await(tag, 'done', 'idling');
      case 'CAPABILITY':
        this.#say(`* CAPABILITY ${this.#capabilities}`);
        return 'OK done';
      case 'LIST':
      case 'LSUB':
        return this.#list(name, rest);
      case 'SELECT':
        return rest.replaceAll('"', '') === options.folder ? this.#select() : 'NO [NONEXISTENT] no such folder';
      case 'UID SEARCH':
        return this.#search(rest);
      case 'UID FETCH':
        return this.#fetch(rest);
      case 'UID STORE':
        return this.#store(rest);
      case 'NOOP':
        return 'OK done';
      case 'LOGOUT':
        this.#say('* BYE');
        return 'OK bye';
      default:
        return `BAD ${name} is not known here`;
    }
  }

  #await(tag: string, what: 'login' | 'done', words: string): null {
    this.#awaiting = { tag, what };
    this.#say(`+ ${words}`);
    return null;
  }

  #login(line: string): string {
    const { user, password, takesToken } = this.#server.options;
    if (takesToken) return this.#loginByToken(Buffer.from(line, 'base64').toString(), takesToken);
    const [, given, secret] = Buffer.from(line, 'base64').toString().split('\0');
    if (given !== user || secret !== password)
      return `NO [AUTHENTICATIONFAILED] ${secret} is not the password of ${given}, who sent ${line}`;
    this.#server.logins += 1;
    return `OK [CAPABILITY ${this.#capabilities}] welcome`;
  }

  #loginByToken(said: string, takesToken: (token: string) => boolean): string {
    const [given, bearer = ''] = said.split('\u0001');
    const token = bearer.replace('auth=Bearer ', '');
    if (given !== `user=${this.#server.options.user}` || !takesToken(token))
      return `NO [AUTHENTICATIONFAILED] ${token} is no token of ${given}`;
    this.#server.logins += 1;
    return `OK [CAPABILITY ${this.#capabilities}] welcome`;
  }

  /** An empty pattern asks for what parts the names of folders (RFC 3501 6.3.8). */
  #list(name: string, rest: string): string {
    const [, pattern = ''] = /"([^"]*)"$/.exec(rest) ?? [];
    if (pattern === '') this.#say(`* ${name} (\\Noselect) "/" ""`);
    else if (pattern === this.#server.options.folder) this.#say(`* ${name} () "/" "${pattern}"`);
    return 'OK done';
  }

  #select(): string {
    const { mails, uidValidity, uidNext } = this.#server;
    this.#isSelected = true;
    this.#say('* FLAGS (\\Seen \\Deleted)');
    this.#say('* OK [PERMANENTFLAGS (\\Seen \\Deleted \\*)] kept');
    this.#say(`* ${mails.length} EXISTS`);
    this.#say('* 0 RECENT');
    this.#say(`* OK [UIDVALIDITY ${uidValidity}] valid`);
    this.#say(`* OK [UIDNEXT ${uidNext}] next`);
    return 'OK [READ-WRITE] done';
  }

  /** `UID 5:* UNKEYWORD $Name`, in either order. */
  #search(rest: string): string {
    const [, first = '1'] = /UID (\d+):\*/i.exec(rest) ?? [];
    const [, keyword = ''] = /UNKEYWORD (\S+)/i.exec(rest) ?? [];
    const { mails } = this.#server;
    const last = mails.at(-1);
    const found = mails.filter((one) => one.uid >= Number(first) || one === last);
    const unmarked = found.filter(({ flags }) => !flags.has(keyword));
    this.#say(`* SEARCH ${unmarked.map(({ uid }) => uid).join(' ')}`.trim());
    return 'OK done';
  }

  #fetch(rest: string): string | null {
    const [, uid, bytesMax] = /^(\d+) .*BODY\.PEEK\[\]<0\.(\d+)>/i.exec(rest) ?? [];
    const index = this.#server.mails.findIndex((one) => one.uid === Number(uid));
    const mail = this.#server.mails[index];
    if (!mail) return 'OK nothing of it is here';
    const bytes = mail.bytes.subarray(0, Number(bytesMax));
    const head = `* ${index + 1} FETCH (UID ${uid} BODY[]<0> {${bytes.length}}\r\n`;
    if (this.#server.cutAfterMails === 0) {
      this.#server.cutAfterMails = null;
      this.#say(head + bytes.toString('latin1', 0, bytes.length / 2));
      this.cut();
      return null;
    }
    if (this.#server.cutAfterMails !== null) this.#server.cutAfterMails -= 1;
    this.#say(Buffer.concat([Buffer.from(head), bytes, Buffer.from(')')]));
    return 'OK done';
  }

  #store(rest: string): string {
    const [, uid, words = ''] = /^(\d+) \+FLAGS(?:\.SILENT)? \(([^)]*)\)/i.exec(rest) ?? [];
    const mail = this.#server.mails.find((one) => one.uid === Number(uid));
    for (const flag of words.split(' ')) if (flag !== '') mail?.flags.add(flag);
    return 'OK done';
  }
}
