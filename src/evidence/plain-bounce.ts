/** Bounces in words for people: qmail's, Exim's, old Exchange's, Yahoo's, … None has a field to read; each has a line that begins it. */

import type { Notice, NoticeKind } from '../core/notice.ts';
import { readSaid } from './said.ts';

/** A line of each format that no other mail has, and what it says. The first that is found counts. */
const openings: [NoticeKind, RegExp][] = [
  ['delayed', /has not (?:yet )?been delivered to one or more of its recipients/i],
  ['delayed', /this is a warning message only/i],
  ['delayed', /warning: could not send message for past/i],
  [
    'delayed',
    /(?:delivery (?:is |has been )?delayed|delivery incomplete|still (?:being )?tr(?:ying|ied) to deliver|will be retried)/i,
  ],
  ['bounced', /this is the (?:qmail-send|mail delivery) (?:program|system) at/i],
  ['bounced', /could not be delivered to (?:one or more of its|one or more|the following) recipients/i],
  ['bounced', /the following address(?:\(es\)|es)? failed/i],
  ['bounced', /the following addresses had (?:permanent )?(?:fatal|delivery) errors/i],
  ['bounced', /(?:unable|wasn't able|was not able) to deliver your message to the following address/i],
  ['bounced', /delivery to the following recipients? (?:has )?failed/i],
  ['bounced', /did not reach (?:some or all of )?the (?:intended|following) recipient/i],
  ['bounced', /delivery has failed to these recipients/i],
  ['bounced', /(?:this is the mail system at host|i'm sorry to have to inform you)/i],
  ['bounced', /was automatically rejected/i],
  ['bounced', /(?:an error (?:has )?occurred|error) while attempting to deliver a message/i],
  ['bounced', /an error occurred while trying to deliver the mail to the following recipients/i],
  ['bounced', /(?:could not|couldn't|cannot|can not|wasn't|was not) (?:be )?deliver(?:ed)?/i],
  [
    'bounced',
    /(?:undeliverable|undelivered|returned mail|delivery (?:failure|failed|status notification)|failure notice)/i,
  ],
];

/** From here on it is the mail that bounced, or what somebody once wrote about another one. */
const copy =
  /^[^\w\n]{0,80}(?:below this line is a copy of the message|original message|this is a copy of (?:the|your) message|message header follows|unsent message|(?:the )?(?:body|header) of the (?:message|mail)|included is a copy|-+ ?transcript|returned message|forwarded message|begin message)/im;

/** Exim names them in its header, also where its words are in another language. */
export function readPlainBounce(text: string, subject: string, failed: readonly string[]): Notice[] {
  const own = text.slice(0, textCharsMax).split(copy)[0] ?? '';
  const kind = kindOf(own) ?? (failed.length > 0 ? 'bounced' : kindOf(subject));
  if (kind === null) return [];
  const said = new Map(recipientsIn(own));
  const rest = failed.filter((address) => !said.has(address)).map((address) => [address, own] as const);
  const transcript = rest.length + said.size === 1 ? text.slice(0, textCharsMax) : '';
  return [...said, ...rest].map(([address, words]) => {
    const reply = readSaid(kind, words);
    // What a server said may stand apart, where only one can be meant.
    const isBare = reply.said.code === null && reply.said.enhanced === null;
    return { kind, isWordy: true, recipients: [address], reply: isBare ? readSaid(kind, transcript || words) : reply };
  });
}

const textCharsMax = 64 * 1024;

function kindOf(text: string): NoticeKind | null {
  const words = text.replace(/\s+/g, ' ');
  return openings.find(([, pattern]) => pattern.test(words))?.[0] ?? null;
}

/** An address that begins a line, alone or before what was said of it. */
const recipientLine =
  /^\s{0,20}(?:to:\s{0,5})?["'<]{0,2}([^\s<>"'(),;:]{1,64}@[^\s<>"'(),;:]{1,253}\.[^\s<>"'(),;:.]{1,63})["'>]{0,2}(?::|\s|$)/i;

/** Each with the lines after it, up to the next one. */
function recipientsIn(text: string): [address: string, words: string][] {
  const found: [address: string, lines: string[]][] = [];
  for (const line of text.split(/\r?\n/)) {
    const [start = '', address] = recipientLine.exec(line) ?? [];
    if (address !== undefined) found.push([address.toLowerCase(), [line.slice(start.length)]]);
    else found.at(-1)?.[1].push(line);
  }
  if (found.length > 0) return found.map(([address, lines]) => [address, lines.join('\n')]);
  const [, address] = inSentence.exec(text) ?? [];
  return address === undefined ? [] : [[address.toLowerCase(), text]];
}

/** Where no line begins with one: `Your message to <ann@example.com> was automatically rejected`. */
const inSentence =
  /(?:message|mail|deliver) to:?\s{1,5}["'<]{0,2}([^\s<>"'(),;:]{1,64}@[^\s<>"'(),;:]{1,253}[^\s<>"'(),;:.])/i;
