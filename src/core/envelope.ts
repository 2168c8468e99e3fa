/** From a message to who SMTP is told about. */

import { envelopeAddress, parseMailbox, testAddressOutcome } from './address.ts';
import type { Message } from './email.ts';

/** The tag or header by which one email chooses what happens when it is in doubt. */
const policyName = 'sendonce-in-doubt';

export function senderAddress(message: Pick<Message, 'from'>): string {
  return envelopeAddress(message.from);
}

/** Who SMTP is told that it comes from. */
export function returnPathOf(message: Pick<Message, 'from' | 'returnPath'>): string {
  return message.returnPath ?? senderAddress(message);
}

/** Whom anybody is told it comes from: the author, and who is named as having sent it for them (RFC 5322 3.6.2), or in its envelope. */
export function namedSenders(message: Pick<Message, 'from' | 'headers' | 'returnPath'>): string[] {
  const named = message.headers.filter(([name]) => name.toLowerCase() === 'sender');
  const others = named.map(([, value]) => parseMailbox(value)?.address ?? value.trim());
  return [senderAddress(message), ...others, ...(message.returnPath ? [message.returnPath] : [])];
}

/**
 * The recipients, each once, grouped into what may share one SMTP transaction:
 * real ones first, then one group for each kind of simulated test address.
 */
export function groupRecipients({ to, cc, bcc }: Pick<Message, 'to' | 'cc' | 'bcc'>): string[][] {
  const [only] = to;
  // As nearly every mail has it.
  if (only !== undefined && to.length + cc.length + bcc.length === 1) return [[envelopeAddress(only)]];
  const groups = new Map<string, Set<string>>();
  for (const text of [...to, ...cc, ...bcc]) {
    const address = envelopeAddress(text);
    const kind = testAddressOutcome(address) ?? '';
    const group = groups.get(kind);
    if (group) group.add(address);
    else groups.set(kind, new Set([address]));
  }
  return [...groups.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, group]) => [...group]);
}

/** Whom an email was for, each once (upper and lower case aside), less those whose log was deleted; with their places. */
export function shownRecipients({
  to,
  cc,
  bcc,
  forgotten = [],
}: Pick<Message, 'to' | 'cc' | 'bcc'> & { forgotten?: string[] | undefined }): { address: string; position: number }[] {
  const recipients = new Map<string, { address: string; position: number }>();
  for (const [position, mailbox] of [...to, ...cc, ...bcc].entries()) {
    const address = envelopeAddress(mailbox);
    const slot = address.toLowerCase();
    if (!recipients.has(slot)) recipients.set(slot, { address, position });
  }
  for (const address of forgotten) recipients.delete(address);
  return [...recipients.values()];
}

/** Null where the author did not choose: the server's policy counts. */
export function inDoubtPolicy(message: Pick<Message, 'tags' | 'headers'>): 'hold' | 'send-again' | null {
  const tag = message.tags.find((one) => one.name.toLowerCase() === policyName)?.value;
  const header = message.headers.find(([name]) => name.toLowerCase() === policyName)?.[1];
  const value = (tag ?? header)?.trim();
  return value === 'send-again' || value === 'hold' ? value : null;
}
