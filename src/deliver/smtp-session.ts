/** Opens one SMTP session: connection, greeting, EHLO, STARTTLS, AUTH. */

import type { ConnectionOptions } from 'node:tls';
import SMTPConnection from 'nodemailer/lib/smtp-connection';

export type SmtpOptions = {
  host: string;
  port: number;
  /** TLS from the first byte (465) instead of STARTTLS. */
  secure: boolean;
  auth: { user: string; pass: string } | null;
  /** Absent: `required` with `auth` (a stripped offer would show the password), except on loopback; else `opportunistic`. */
  starttls?: 'opportunistic' | 'required' | 'never';
  /** Passed to `tls.connect`; overrides what is decided here, such as certificate verification. */
  tls?: ConnectionOptions;
  /** What EHLO says; the machine's name where absent. */
  name?: string;
  /** For connecting, greeting and STARTTLS together. A minute outlasts greylisting pauses and slow DNS. */
  connectTimeoutMs?: number;
  /** For the greeting alone. */
  greetingTimeoutMs?: number;
  /** For any silence before the dot. RFC 5321 4.5.3.2 asks for five minutes at MAIL and RCPT. */
  stallTimeoutMs?: number;
};

type Step = 'connection' | 'TLS' | 'AUTH';

const connectTimeoutMsDefault = 60_000;
const greetingTimeoutMsDefault = 30_000;
const stallTimeoutMsDefault = 5 * 60_000;
/** A reply is some lines of 512 bytes (RFC 5321 4.5.3.1.5); a peer that never ends one must not fill the memory. */
const replyBytesMax = 64 * 1024;

/** Rejects with an error that says which step failed, in words without credentials. */
export function openSession(options: SmtpOptions): Promise<SMTPConnection> {
  const connection = new SMTPConnection(connectionOptions(options));
  return new Promise((resolve, reject) => {
    const fail = (step: Step, error: Error | null) => {
      reject(new Error(explain(step, error?.message ?? 'connection closed', options)));
      connection.close();
    };
    // Stays for the life of the session: an idle one that dies must not end the process. `end` follows every `error`.
    connection.on('error', (error: SMTPConnection.SMTPError) => fail(stepOf(error), error));
    connection.once('end', () => fail('connection', null));
    connection.connect((error) => {
      if (error) return fail('connection', error);
      if (options.auth === null) return resolve(connection);
      // An unauthenticated session would turn the operator's problem into bounces ("550 relaying denied").
      if (!connection.allowsAuth) return fail('AUTH', new Error('not offered by the relay'));
      connection.login({ ...options.auth }, (refused) => (refused ? fail('AUTH', refused) : resolve(connection)));
    });
  });
}

/** Milliseconds of silence before the dot after which a session is given up. */
export function stallTimeoutOf(options: SmtpOptions): number {
  return options.stallTimeoutMs ?? stallTimeoutMsDefault;
}

function connectionOptions(options: SmtpOptions): SMTPConnection.Options {
  const starttls = options.starttls ?? (options.auth && !isLoopback(options.host) ? 'required' : 'opportunistic');
  // Unverified TLS beats the plain text it would otherwise be. With a password to lose, or where TLS was asked for, it does not.
  const isVerified = options.secure || options.auth !== null || starttls === 'required';
  return {
    host: options.host,
    port: options.port,
    secure: options.secure,
    name: options.name,
    requireTLS: !options.secure && starttls === 'required',
    ignoreTLS: starttls === 'never',
    opportunisticTLS: !isVerified,
    tls: { rejectUnauthorized: isVerified, ...options.tls },
    connectionTimeout: options.connectTimeoutMs ?? connectTimeoutMsDefault,
    greetingTimeout: options.greetingTimeoutMs ?? greetingTimeoutMsDefault,
    socketTimeout: stallTimeoutOf(options),
    // Destroy, do not linger: a session stopped inside DATA must not get another byte out.
    socketCloseTimeout: 0,
    maxResponseSize: replyBytesMax,
  };
}

function explain(step: Step, message: string, options: SmtpOptions): string {
  const isOurChoice = step === 'TLS' && options.auth !== null && options.starttls === undefined && !options.secure;
  const hint = isOurChoice ? ' (a password is sent over verified TLS only, unless starttls=never)' : '';
  return `${step}: ${withoutCredentials(message, options)}${hint}`;
}

function stepOf(error: SMTPConnection.SMTPError): Step {
  if (error.code === 'ETLS' || /certificate|\bssl\b|\btls\b/i.test(error.message)) return 'TLS';
  return 'connection';
}

/** Some relays echo what they refuse. */
function withoutCredentials(text: string, { auth }: SmtpOptions): string {
  if (auth === null) return text;
  const plain = Buffer.from(`\0${auth.user}\0${auth.pass}`).toString('base64');
  const secrets = [plain, Buffer.from(auth.pass).toString('base64'), auth.pass];
  return secrets.reduce((kept, secret) => (secret === '' ? kept : kept.replaceAll(secret, '***')), text);
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127\.\d+\.\d+\.\d+$/.test(host);
}
