/** Mail for the domains that are marked as receiving: taken from anybody, kept as it came, and told to the account's webhooks. */

import { createHash, randomBytes } from 'node:crypto';
import { parseMailbox } from '../../core/address.ts';
import { AppError } from '../../core/error.ts';
import { bufferOf } from '../../core/pieces.ts';
import { readMailIn } from '../../render/mail-reading.ts';
import type { Renderer } from '../../render/renderer.ts';
import { domainOf, type ReceiveMail } from '../../use-cases/receive-mail.ts';
import type { Intake, Transaction } from '../intake.ts';
import { Refusal } from '../replies.ts';
import { readHead } from './read-head.ts';

export type ReceivedIntakeOptions = {
  receiving: ReceiveMail;
  renderer: Pick<Renderer, 'openLater'>;
  /** What this server calls itself. */
  name: string;
};

/** As much as a submission may have, and as Resend takes. */
const bytesMax = 40 * 1024 * 1024;

export function createReceivedIntake(options: ReceivedIntakeOptions): Intake {
  return {
    bytesMax,
    isOpen: () => options.receiving.isAsked(),
    // Who has signed in submits: that mail goes out, and comes back in where it is for here.
    takes: (recipient, { caller }) => caller === null && takes(options.receiving, recipient),
    receive: (transaction, { bytes }) => receive(options, transaction, bufferOf(bytes)),
  };
}

async function takes({ findOwner }: ReceiveMail, recipient: string): Promise<boolean> {
  const owner = await findOwner(domainOf(recipient));
  if (!owner) return false;
  if (owner.isWaiting) throw new Refusal(450, '4.2.1 Mail for this domain is not taken for now: try again later.');
  if (parseMailbox(recipient)?.address === recipient) return true;
  throw new AppError('invalid_parameter', 'The recipient is no address that mail could be for.');
}

async function receive(options: ReceivedIntakeOptions, transaction: Transaction, mail: Buffer): Promise<string> {
  const { receiving, renderer } = options;
  const { to: recipients } = transaction;
  const head = readHead(mail, transaction);
  const owner = await receiving.findOwner(domainOf(recipients[0] ?? ''));
  const { files } = await readMailIn(renderer.openLater(owner?.account ?? ''), mail);
  const ids = await receiving.take({
    recipients,
    head,
    files,
    hash: hashOf(transaction, mail, head.messageId),
    rawFor: (copy) => Buffer.concat([Buffer.from(traceOf(options.name, transaction, copy)), mail]),
  });
  if (ids.length === 0) throw new AppError('not_found', 'There is no such mailbox here.');
  return `2.0.0 received as ${ids.join(', ')}`.slice(0, 400);
}

/** A server whose reply was lost sends the same again, in one envelope; what has no Message-ID is told from nothing else. */
function hashOf({ to }: Transaction, mail: Buffer, messageId: string): Uint8Array {
  if (messageId === '') return randomBytes(32);
  return createHash('sha256').update(JSON.stringify(to.toSorted())).update(mail).digest();
}

/** RFC 5321 4.4: the last server that takes a mail writes whom it is from, and how it came. */
function traceOf(name: string, { from, client }: Transaction, { id, at }: { id: string; at: number }): string {
  const date = new Date(at).toUTCString().replace('GMT', '+0000');
  const said = client.name.replace(/[^\w.:[\]-]+/g, '').slice(0, 255) || 'unknown';
  return (
    `Return-Path: <${from.replace(/[\r\n<>]+/g, '')}>\r\n` +
    `Received: from ${said} ([${client.address}])\r\n by ${name} with ${client.protocol} id ${id};\r\n ${date}\r\n`
  );
}
