/** What an email is found by, and what somebody who looks for one may type: both become the same terms. */

import { envelopeAddress } from '../../core/address.ts';
import type { Message, Origin } from '../../core/email.ts';
import { isUuid } from '../../core/token.ts';
import type { ShownState } from '../mail/events.ts';

/** One condition: a term that equals, or begins like, one of these. */
export type Condition = { terms: string[]; isPrefix: boolean };

export type Search =
  /** An id or a Message-ID was typed: there is at most one such email. */
  { kind: 'email'; id: string } | { kind: 'terms'; conditions: Condition[] };

export const searchStates = [
  'queued',
  'scheduled',
  'sent',
  'delivered',
  'captured',
  'delivery_delayed',
  'bounced',
  'complained',
  'failed',
  'suppressed',
  'canceled',
] as const satisfies ShownState[];

/** Bounds what one email costs the index; nobody looks for the 25th word of a subject. */
const wordsMax = 24;
const wordCharsMax = 40;
/** Conditions beyond these would only make a narrow search narrower. */
const conditionsMax = 8;

export function stateTerm(state: ShownState): string {
  return `is:${state}`;
}

/** What an email is found by, whatever its state. */
export function searchTerms(
  message: Pick<Message, 'from' | 'to' | 'cc' | 'bcc' | 'subject' | 'tags'> & Pick<Origin, 'request'>,
): string[] {
  const recipients = [...message.to, ...message.cc, ...message.bcc].map((text) => recipientTerm(envelopeAddress(text)));
  const words = wordsOf(message.subject)
    .slice(0, wordsMax)
    .map((word) => `w:${word}`);
  const tags = message.tags.map((tag) => tagTerm(`${tag.name}=${tag.value}`));
  const request = message.request === undefined ? [] : [message.request];
  return [...new Set([...recipients, senderTerm(message.from), ...words, ...tags, ...request])];
}

export function senderTerm(from: string): string {
  return `from:${envelopeAddress(from).toLowerCase()}`;
}

/** Of the relay that has an email, or had it. */
export function relayTerm(relay: string): string {
  return `via:${relay.toLowerCase()}`;
}

/** Of an address as SMTP is told it. */
export function recipientTerm(address: string): string {
  return `to:${address.toLowerCase()}`;
}

/** Of a tag that is written as one word (`writeTag`), which may be a name alone. */
export function tagTerms(written: string): string[] {
  const colon = written.indexOf(': ');
  const asName = tagTerm(`${written}=`);
  return colon < 0 ? [asName] : [asName, tagTerm(`${written.slice(0, colon)}=${written.slice(colon + 2)}`)];
}

function tagTerm(text: string): string {
  return `tag:${text.toLowerCase()}`;
}

/** Letters and digits of any script, in lower case and one spelling. */
function wordsOf(text: string): string[] {
  const words =
    text
      .normalize('NFKC')
      .toLowerCase()
      .match(/[\p{L}\p{N}]+/gu) ?? [];
  return words.map((word) => word.slice(0, wordCharsMax));
}

/**
 * `ann@` and `invo` are beginnings of recipients or subject words; `"…"` asks for the whole; `to:`, `from:`, `via:`, `tag:` and
 * `is:` say which kind. All conditions must hold. Null where nothing was typed that could be looked for.
 */
export function parseSearch(text: string): Search | null {
  const uuid = /[0-9a-f]{8}-[0-9a-f-]{27}/i.exec(text)?.[0] ?? '';
  if (isUuid(uuid)) return { kind: 'email', id: uuid.toLowerCase() };
  const conditions: Condition[] = [];
  for (const [, field = '', quoted, plain = ''] of text.matchAll(/(?:(to|from|via|tag|is):)?(?:"([^"]*)"|(\S+))/gi)) {
    conditions.push(...conditionsOf(field.toLowerCase(), quoted ?? plain, quoted === undefined));
  }
  return conditions.length === 0 ? null : { kind: 'terms', conditions: conditions.slice(0, conditionsMax) };
}

function conditionsOf(field: string, text: string, isPrefix: boolean): Condition[] {
  const wanted = text.trim().toLowerCase();
  if (wanted === '') return [];
  switch (field) {
    case 'to':
    case 'from':
      return [{ terms: [`${field}:${wanted}`], isPrefix }];
    case 'via':
      return [{ terms: [relayTerm(wanted)], isPrefix: false }];
    case 'is':
      return [{ terms: [`is:${wanted.replaceAll('-', '_')}`], isPrefix: false }];
    case 'tag': {
      const [name = '', value] = wanted.split(/[=:]/, 2);
      if (value === undefined) return [{ terms: [tagTerm(isPrefix ? name : `${name}=`)], isPrefix: true }];
      return [{ terms: [tagTerm(`${name}=${value}`)], isPrefix: false }];
    }
    default:
      return anywhere(wanted, isPrefix);
  }
}

/** A recipient or words of the subject: what holds an @ can only be the first. */
function anywhere(wanted: string, isPrefix: boolean): Condition[] {
  if (/^req_[0-9a-f]+$/.test(wanted)) return [{ terms: [wanted], isPrefix }];
  if (wanted.includes('@')) return [{ terms: [`to:${wanted}`], isPrefix }];
  const words = wordsOf(wanted);
  const [only] = words;
  if (words.length === 1 && only === wanted) return [{ terms: [`to:${wanted}`, `w:${only}`], isPrefix }];
  if (words.length === 0) return [{ terms: [`to:${wanted}`], isPrefix }];
  return words.map((word) => ({ terms: [`w:${word}`], isPrefix }));
}
