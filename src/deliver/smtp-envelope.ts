/** MAIL, RCPT and DATA: what they say, and what the relay answered each. */

import { isAscii } from 'node:buffer';
import { asksOf, encodeXtext } from '../core/dsn.ts';
import type { RecipientReply } from '../core/outcome.ts';
import { bufferOf, type Pieces, sizeOf } from '../core/pieces.ts';
import { isAsciiText } from '../core/plain.ts';
import type { Shipment } from './relay.ts';
import { impossible } from './smtp-reply.ts';
import type { Extensions, SmtpSession } from './smtp-session.ts';

/** What was answered, in order, until `error`, if any, or a 421 ended it; MAIL, each RCPT and DATA have a place of their own. */
export type Answers = {
  mail: string | null;
  rcpt: readonly string[];
  data: string | null;
  error: Error | null;
  /** The last of them. */
  last: string;
};

/** What no relay, or not this one, could be told. Null: nothing. */
export function findUnspeakable({ envelope, pieces }: Shipment, extensions: Extensions): string | null {
  const { from, to } = envelope;
  if (to.length === 0) return 'No recipients defined';
  if (/[\r\n<>]/.test(from)) return `Invalid sender ${JSON.stringify(from)}`;
  const invalid = to.find((address) => address === '' || /[\r\n<>]/.test(address));
  if (invalid !== undefined) return `Invalid recipient ${JSON.stringify(invalid)}`;
  const sizeMax = Number(extensions.get('SIZE')?.[0] ?? 0);
  return sizeMax > 0 && sizeOf(pieces) > sizeMax ? `Message size larger than allowed ${sizeMax}` : null;
}

/** `unspoken`: recipients that this relay cannot be told of, and never could be by trying again. */
export type Fitted = { shipment: Shipment; unspoken: RecipientReply[]; isPlain: boolean };

/** What this relay can take of a shipment: without SMTPUTF8 neither an address nor a header field may be beyond ASCII. */
export function fit(shipment: Shipment, extensions: Extensions): Fitted {
  const { envelope, plain } = shipment;
  const { from, to } = envelope;
  if (!plain || extensions.has('SMTPUTF8')) return { shipment, unspoken: [], isPlain: false };
  const spoken = isAsciiText(from) ? to.filter(isAsciiText) : [];
  const unspoken = to
    .filter((address) => !spoken.includes(address))
    .map((address) => ({ address, reply: impossible(needsSmtputf8).reply }));
  return { shipment: { ...shipment, envelope: { from, to: spoken }, pieces: plain }, unspoken, isPlain: true };
}

const needsSmtputf8 =
  'The address of the sender or of this recipient is beyond ASCII, which the relay does not take (it offers no SMTPUTF8, RFC 6531): nothing was sent.';

/** DATA is not said to a relay that is known to want none of it; with PIPELINING (RFC 2920) all goes out before it can be known. */
export async function sendEnvelope({ wire, extensions }: SmtpSession, shipment: Shipment): Promise<Answers> {
  const { to } = shipment.envelope;
  const commands = [
    mailCommand(shipment, extensions),
    ...to.map((address) => rcptCommand(address, shipment, extensions)),
    'DATA\r\n',
  ];
  const isPipelined = extensions.has('PIPELINING');
  if (isPipelined) wire.write(commands.join(''));
  const replies: string[] = [];
  let error: Error | null = null;
  for (const command of commands) {
    if (!isPipelined && isHopeless(replies, to.length)) break;
    if (!isPipelined) wire.write(command);
    try {
      replies.push(await wire.reply());
    } catch (reason) {
      error = reason instanceof Error ? reason : new Error(String(reason));
    }
    // Nothing comes after 421 (RFC 5321 3.8).
    if (error || replies.at(-1)?.startsWith('421')) break;
  }
  const [mail = null, ...rest] = replies;
  return { mail, rcpt: rest.slice(0, to.length), data: rest[to.length] ?? null, error, last: replies.at(-1) ?? '' };
}

export function isRefusal(reply: string): boolean {
  return !reply.startsWith('2');
}

/** MAIL was refused, or every RCPT. */
function isHopeless([mail, ...rcpt]: readonly string[], recipients: number): boolean {
  if (mail === undefined) return false;
  return isRefusal(mail) || (rcpt.length === recipients && rcpt.every(isRefusal));
}

function mailCommand({ envelope, pieces, envelopeId, returns, asked }: Shipment, extensions: Extensions): string {
  const parameters: string[] = [];
  // RFC 6531 3.4: for addresses and for header fields. For a body beyond ASCII 8BITMIME is enough.
  const isPlain = isAscii(headerOf(pieces)) && [envelope.from, ...envelope.to].every(isAsciiText);
  if (!isPlain && extensions.has('SMTPUTF8')) parameters.push('SMTPUTF8');
  if (extensions.has('8BITMIME') && !pieces.every(isAscii)) parameters.push('BODY=8BITMIME');
  if (extensions.has('SIZE')) parameters.push(`SIZE=${sizeOf(pieces)}`);
  if (extensions.has('DSN')) {
    const own = encodeXtext(returns?.envelopeId ?? envelopeId);
    // Where notices come to us it is ours that says which mail they are about.
    const id = returns?.address ? own : asked?.envelopeId ? encodeXtext(asked.envelopeId) : own;
    parameters.push(`RET=${asked?.ret ?? 'HDRS'}`, `ENVID=${id}`);
  }
  return `${[`MAIL FROM:<${envelope.from}>`, ...parameters].join(' ')}\r\n`;
}

/** ORCPT says to whom we sent it, wherever it was forwarded to (RFC 3461 4.2, RFC 6533 3). */
function rcptCommand(address: string, { returns, asked }: Shipment, extensions: Extensions): string {
  if (!extensions.has('DSN')) return `RCPT TO:<${address}>\r\n`;
  const own = returns?.notify ?? [];
  const comesToUs = own.length > 0 || (returns?.address ?? null) !== null;
  const { notify, original } = asksOf(address, { notify: own, comesToUs }, asked);
  const named = original ? encodeXtext(original) : notify && comesToUs ? originalOf(address) : null;
  const words = notify ? ` NOTIFY=${notify.join(',').toUpperCase()}` : '';
  return `RCPT TO:<${address}>${words}${named ? ` ORCPT=${named}` : ''}\r\n`;
}

function originalOf(address: string): string {
  if (isAsciiText(address)) return `rfc822;${encodeXtext(address)}`;
  const escaped = address.replace(
    /[^!-*,-<>-~]|\\/gu,
    (char) => `\\x{${(char.codePointAt(0) ?? 0).toString(16).toUpperCase()}}`,
  );
  return `utf-8;${escaped}`;
}

/** Header fields stand whole in the first piece. */
function headerOf([first = new Uint8Array()]: Pieces): Uint8Array {
  const end = bufferOf(first).indexOf('\r\n\r\n');
  return end === -1 ? first : first.subarray(0, end);
}
