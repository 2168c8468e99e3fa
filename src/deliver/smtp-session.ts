/** Opens one SMTP session: connection, greeting, EHLO, STARTTLS, AUTH. */

import net from 'node:net';
import { hostname } from 'node:os';
import type { ConnectionOptions } from 'node:tls';
import { isLoopback } from '../core/loopback.ts';
import type { RelayTrouble } from '../core/relay-trouble.ts';
import { NoToken } from '../egress/oauth-token.ts';
import { authenticate, type Credentials } from './smtp-auth.ts';
import { Silence, Wire } from './smtp-wire.ts';

export type SmtpOptions = {
  host: string;
  port: number;
  /** TLS from the first byte (465) instead of STARTTLS. */
  secure: boolean;
  auth: Credentials | null;
  /** Absent: `required` with `auth` (a stripped offer would show the password), except on loopback; else `opportunistic`. */
  starttls?: 'opportunistic' | 'required' | 'never';
  /** Passed to `tls.connect`; overrides what is decided here, such as certificate verification. */
  tls?: ConnectionOptions;
  /** What EHLO says; the machine's name where absent. */
  name?: string;
  /** The address the connection comes from; the system's choice where absent. */
  localAddress?: string;
  /** For all up to AUTH together. A minute outlasts greylisting pauses and slow DNS. */
  connectTimeoutMs?: number;
  /** For the greeting alone. */
  greetingTimeoutMs?: number;
  /** For any silence before the dot. RFC 5321 4.5.3.2 asks for five minutes at MAIL and RCPT. */
  stallTimeoutMs?: number;
};

/** What EHLO offered, by keyword in capitals, each with its parameters in capitals. */
export type Extensions = ReadonlyMap<string, readonly string[]>;

export type SmtpSession = { wire: Wire; extensions: Extensions };

type Step = 'connection' | 'TLS' | 'AUTH';

/** No session came about. The message says which step failed, in words without credentials. */
export class NoSession extends Error {
  override readonly name = 'NoSession';
  readonly trouble: RelayTrouble | null;

  constructor(message: string, trouble: RelayTrouble | null, options: ErrorOptions) {
    super(message, options);
    this.trouble = trouble;
  }
}

const connectTimeoutMsDefault = 60_000;
const greetingTimeoutMsDefault = 30_000;
const stallTimeoutMsDefault = 5 * 60_000;
const quitTimeoutMs = 1_000;

/** @throws NoSession */
export async function openSession(options: SmtpOptions): Promise<SmtpSession> {
  return startSession(Wire.to(options, stallTimeoutOf(options)), options);
}

/** The same over a connection that exists. */
export async function startSession(wire: Wire, options: SmtpOptions): Promise<SmtpSession> {
  let step: Step = 'connection';
  const timeoutMs = options.connectTimeoutMs ?? connectTimeoutMsDefault;
  const timer = setTimeout(() => wire.destroy(new Silence('Connection timeout')), timeoutMs);
  try {
    await wire.connected();
    if (options.secure) {
      step = 'TLS';
      await wire.secure(tlsOptions(options), stallTimeoutOf(options));
      step = 'connection';
    }
    await greeted(wire, options);
    let extensions = await hello(wire, options);
    if (startsTls(extensions, options)) {
      step = 'TLS';
      if (await upgrade(wire, extensions, options)) {
        step = 'connection';
        extensions = await hello(wire, options);
      }
    }
    clearTimeout(timer);
    step = 'AUTH';
    if (options.auth) await logIn(wire, extensions, options.auth);
    return { wire, extensions };
  } catch (error) {
    wire.destroy();
    throw new NoSession(explain(step, error, options), troubleAt(step, error), { cause: error });
  } finally {
    clearTimeout(timer);
  }
}

/** Leaves politely; a relay that does not answer QUIT is left without an answer. */
export async function quit(wire: Wire): Promise<void> {
  const timer = setTimeout(() => wire.destroy(), quitTimeoutMs);
  await wire.ask('QUIT').catch(() => '');
  clearTimeout(timer);
  wire.destroy();
}

/** Milliseconds of silence before the dot after which a session is given up. */
export function stallTimeoutOf(options: SmtpOptions): number {
  return options.stallTimeoutMs ?? stallTimeoutMsDefault;
}

async function greeted(wire: Wire, options: SmtpOptions): Promise<void> {
  const timeoutMs = options.greetingTimeoutMs ?? greetingTimeoutMsDefault;
  const timer = setTimeout(() => wire.destroy(new Silence('Greeting never received')), timeoutMs);
  const reply = await wire.reply().finally(() => clearTimeout(timer));
  if (!reply.startsWith('220')) throw new Refused(`Invalid greeting: ${reply}`, 'greeting');
}

/** HELO where the relay does not know EHLO: nothing is offered then. */
async function hello(wire: Wire, options: SmtpOptions): Promise<Extensions> {
  const name = options.name ?? ownName();
  const reply = await wire.ask(`EHLO ${name}`);
  if (reply.startsWith('2')) return parseExtensions(reply);
  if (isTlsRequired(options) || reply.startsWith('421')) throw new Error(`Invalid EHLO: ${reply}`);
  const plain = await wire.ask(`HELO ${name}`);
  if (!plain.startsWith('2')) throw new Error(`Invalid HELO: ${plain}`);
  // It cannot say that it takes AUTH, and may.
  return new Map([['AUTH', []]]);
}

/** RFC 5321 4.1.1.1; `AUTH=LOGIN` is how it was written before RFC 2554. */
function parseExtensions(reply: string): Extensions {
  const extensions = new Map<string, string[]>();
  for (const line of reply.toUpperCase().split('\n').slice(1)) {
    const [keyword = '', ...parameters] = line
      .slice(4)
      .trim()
      .split(/[\s=]+/);
    extensions.set(keyword, [...(extensions.get(keyword) ?? []), ...parameters]);
  }
  return extensions;
}

function startsTls(extensions: Extensions, options: SmtpOptions): boolean {
  if (options.secure || options.starttls === 'never') return false;
  return extensions.has('STARTTLS') || isTlsRequired(options);
}

/** False where the relay will not and plain text is allowed. */
async function upgrade(wire: Wire, extensions: Extensions, options: SmtpOptions): Promise<boolean> {
  if (!extensions.has('STARTTLS')) throw new Refused('STARTTLS is not offered by the relay', 'no_tls');
  const reply = await wire.ask('STARTTLS');
  if (reply.startsWith('2')) {
    await wire.secure(tlsOptions(options), stallTimeoutOf(options));
    return true;
  }
  if (isVerified(options)) throw new Error(`Error upgrading connection with STARTTLS: ${reply}`);
  return false;
}

/** An unauthenticated session would turn the operator's problem into bounces ("550 relaying denied"). */
async function logIn(wire: Wire, extensions: Extensions, auth: Credentials): Promise<void> {
  const offered = extensions.get('AUTH');
  if (!offered) throw new Refused('not offered by the relay', 'no_login');
  await authenticate(wire, auth, offered);
}

/** What the relay said, or left out, and what that is a case of. */
class Refused extends Error {
  readonly trouble: RelayTrouble;

  constructor(message: string, trouble: RelayTrouble) {
    super(message);
    this.trouble = trouble;
  }
}

/** By the codes of the system and of TLS, and by the step that failed. */
function troubleAt(step: Step, error: unknown): RelayTrouble | null {
  if (error instanceof Refused) return error.trouble;
  if (error instanceof NoToken) return error.isRefused ? 'login' : null;
  const { code = '' } = error as { code?: string };
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') return 'name';
  if (code === 'ECONNREFUSED') return 'nobody_listens';
  if (code === 'ETIMEDOUT' || code === 'EHOSTUNREACH' || code === 'ENETUNREACH' || error instanceof Silence)
    return 'silence';
  if (step === 'AUTH') return 'login';
  if (step !== 'TLS') return null;
  // OpenSSL met plain text where a handshake was to come.
  if (code === 'ERR_SSL_WRONG_VERSION_NUMBER' || code === 'ERR_SSL_PACKET_LENGTH_TOO_LONG') return 'not_tls';
  return code.includes('CERT') || code.startsWith('UNABLE_TO_') ? 'certificate' : 'tls';
}

function isTlsRequired({ secure, starttls, auth, host }: SmtpOptions): boolean {
  if (secure) return false;
  return starttls === undefined ? auth !== null && !isLoopback(host) : starttls === 'required';
}

/** Unverified TLS beats the plain text it would otherwise be. With a password to lose, or where TLS was asked for, it does not. */
function isVerified(options: SmtpOptions): boolean {
  return options.secure || options.auth !== null || isTlsRequired(options);
}

function tlsOptions(options: SmtpOptions): ConnectionOptions {
  const { host } = options;
  const servername = net.isIP(host) ? {} : { servername: host };
  return { host, ...servername, rejectUnauthorized: isVerified(options), ...options.tls };
}

function explain(step: Step, error: unknown, options: SmtpOptions): string {
  const message = wordsOf(error).replaceAll('\n', ' ');
  const isOurChoice = step === 'TLS' && options.auth !== null && options.starttls === undefined && !options.secure;
  const hint = isOurChoice ? ' (a password is sent over verified TLS only, unless starttls=never)' : '';
  return `${step}: ${message}${hint}`;
}

/** OpenSSL's message has its source file and line in it; Node puts what happened beside it. */
function wordsOf(error: unknown): string {
  const { reason, library } = error as { reason?: unknown; library?: unknown };
  if (typeof reason === 'string' && library !== undefined) return reason;
  return error instanceof Error ? error.message : String(error);
}

/** RFC 5321 4.1.3: who has no name says an address. */
export function ownName(): string {
  const name = hostname();
  if (net.isIPv4(name)) return `[${name}]`;
  return name.includes('.') ? name : '[127.0.0.1]';
}
