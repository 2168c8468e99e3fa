/** One session with an IMAP server over the folder that bounces come to. */

import { ImapFlow } from 'imapflow';
import type { MailboxServer } from '../../config/imap-url.ts';
import { createBlot } from '../../core/blot.ts';
import { NoToken, openTokens, type Tokens } from '../../egress/oauth-token.ts';

export type MailboxSession = {
  /** UIDs count anew where this changes. */
  uidValidity: string;
  mails: number;
  isSecure: boolean;
  /** The server tells of what comes (IDLE); otherwise it has to be asked. */
  tells: boolean;
  /** UIDs above this one, rising, of mails that are not marked. */
  listAfter(uid: number): Promise<number[]>;
  /** The beginning of a mail. Null: it is gone. */
  read(uid: number, bytesMax: number): Promise<Uint8Array | null>;
  /** As read, and as taken where the server keeps such a mark. */
  mark(uid: number): Promise<void>;
  /** Resolves with `news`, after `ms`, or when the signal is given. @throws MailboxError where the connection has ended. */
  wait(ms: number, signal: AbortSignal): Promise<'news' | 'nothing'>;
  close(): Promise<void>;
};

/** `kind` is what there is to be done about it; the message has the server's words, and no password. */
export class MailboxError extends Error {
  override readonly name = 'MailboxError';
  readonly kind: 'unreachable' | 'tls' | 'login' | 'folder' | 'gone';

  constructor(kind: MailboxError['kind'], words: string) {
    super(words);
    this.kind = kind;
  }
}

/** Told at once where a person waits; patience where nobody does. */
export type MailboxPatience = { connectMs: number };

/** What a person sees of it in a mail program that shows keywords. */
const takenMark = '$Sendonce';
/** A server that says nothing for so long is gone. */
const silenceMs = 60_000;
/** A bounce's beginning, and its framing: what is longer is not asked for. */
const literalBytesMax = 8 * 1024 * 1024;
const byeMs = 2_000;

/** Null: the mailbox has a password. Kept by who opens it again and again. */
export function openMailboxTokens({ oauth }: MailboxServer): Tokens | null {
  return oauth && openTokens(oauth);
}

/** @throws MailboxError */
export async function openMailbox(
  server: MailboxServer,
  patience: MailboxPatience,
  tokens: Tokens | null = openMailboxTokens(server),
): Promise<MailboxSession> {
  if (!tokens) return open({ ...server, token: null }, patience);
  const token = await tokenOf(tokens, null);
  try {
    return await open({ ...server, token }, patience);
  } catch (error) {
    if (!(error instanceof MailboxError) || error.kind !== 'login') throw error;
    // It may have been revoked before its time: a new one is tried once.
    return open({ ...server, token: await tokenOf(tokens, token) }, patience);
  }
}

async function tokenOf(tokens: Tokens, refused: string | null): Promise<string> {
  try {
    return await tokens.current(refused);
  } catch (error) {
    if (!(error instanceof NoToken)) throw error;
    throw new MailboxError(error.isRefused ? 'login' : 'unreachable', error.message);
  }
}

type Login = MailboxServer & { token: string | null };

async function open(server: Login, { connectMs }: MailboxPatience): Promise<MailboxSession> {
  const client = new ImapFlow({ ...optionsOf(server), connectionTimeout: connectMs, greetingTimeout: connectMs });
  // What ends the connection is told to whoever asks for something next.
  client.on('error', () => {});
  try {
    await client.connect();
    const box = await client.mailboxOpen(server.folder).catch((error: unknown) => {
      throw client.usable ? new MailboxError('folder', wordsOf(error, server)) : error;
    });
    return sessionOf(client, server, { uidValidity: String(box.uidValidity), mails: box.exists });
  } catch (error) {
    client.close();
    throw errorOf(error, server);
  }
}

function optionsOf({ host, port, isSecure, starttls, user, password, token, ca }: Login) {
  return {
    host,
    port,
    secure: isSecure,
    ...(isSecure ? {} : { doSTARTTLS: starttls === 'required' }),
    auth: { user, ...(token === null ? { pass: password ?? '' } : { accessToken: token }) },
    ...(ca === null ? {} : { tls: { ca } }),
    clientInfo: { name: 'Sendonce' },
    socketTimeout: silenceMs,
    disableAutoIdle: true,
    maxLiteralSize: literalBytesMax,
    maxResponseSize: 2 * literalBytesMax,
    // It would have the password in it.
    logger: false as const,
  };
}

function sessionOf(
  client: ImapFlow,
  server: Login,
  facts: Pick<MailboxSession, 'uidValidity' | 'mails'>,
): MailboxSession {
  let hasNews = false;
  let wake = () => {};
  client.on('exists', () => {
    hasNews = true;
    wake();
  });
  client.on('close', () => wake());
  async function asked<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw errorOf(error, server);
    }
  }

  return {
    ...facts,
    isSecure: client.secureConnection,
    tells: client.capabilities.has('IDLE'),
    listAfter(uid) {
      hasNews = false;
      return asked(async () => {
        const found = await client.search({ uid: `${uid + 1}:*`, unKeyword: takenMark }, { uid: true });
        // `n:*` names the last one, too, where it is before n (RFC 3501 6.4.8).
        return (found || []).filter((one) => one > uid).sort((a, b) => a - b);
      });
    },
    read: (uid, bytesMax) =>
      asked(async () => {
        const found = await client.fetchOne(uid, { source: { start: 0, maxLength: bytesMax } }, { uid: true });
        return found ? (found.source ?? null) : null;
      }),
    mark: (uid) =>
      asked(async () => {
        await client.messageFlagsAdd(uid, ['\\Seen'], { uid: true });
        await client.messageFlagsAdd(uid, [takenMark], { uid: true });
      }),
    wait: (ms, signal) =>
      asked(async () => {
        if (!client.usable) throw new MailboxError('gone', 'The connection has ended.');
        if (!client.idling) void client.idle().catch(() => {});
        if (!hasNews) await untilWoken(ms, signal, (end) => (wake = end));
        if (!client.usable) throw new MailboxError('gone', 'The connection has ended.');
        return hasNews ? 'news' : 'nothing';
      }),
    async close() {
      const ended = client.logout().catch(() => {});
      const timer = setTimeout(() => client.close(), byeMs);
      await ended;
      clearTimeout(timer);
      client.close();
    },
  };
}

async function untilWoken(ms: number, signal: AbortSignal, onWake: (wake: () => void) => void): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  let end = () => {};
  await new Promise<void>((resolve) => {
    end = resolve;
    onWake(resolve);
    timer = setTimeout(resolve, ms);
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', end, { once: true });
  });
  clearTimeout(timer);
  signal.removeEventListener('abort', end);
}

type Failure = Partial<Record<'code' | 'responseText' | 'message' | 'serverResponseCode', unknown>> & {
  authenticationFailed?: boolean;
};

function errorOf(error: unknown, server: Login): MailboxError {
  if (error instanceof MailboxError) return error;
  const { authenticationFailed, code } = error as Failure;
  const words = wordsOf(error, server);
  if (authenticationFailed) return new MailboxError('login', words);
  if (/CERT|SSL|TLS|SELF_SIGNED|SIGNATURE/i.test(`${code}`) || /STARTTLS|certificate/i.test(words))
    return new MailboxError('tls', words);
  return new MailboxError('unreachable', words);
}

const wordsMax = 300;

function wordsOf(error: unknown, { password, token }: Login): string {
  const { code, responseText, message } = error as Failure;
  const words = String(responseText ?? message ?? '');
  const said = typeof code === 'string' && !words.includes(code) ? `${words}, ${code}` : words;
  // A server may repeat what it was sent, in Base64, too.
  const blot = createBlot([password, token].filter((one) => one !== null));
  return blot(said)
    .replace(/[^ -~]+/g, ' ')
    .slice(0, wordsMax);
}
