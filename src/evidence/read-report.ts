/** From the bytes of a mail that came back to what it says: a pure function, bounded and linear, for a renderer thread. */

import { type Notice, noticesMax, type Report } from '../core/notice.ts';
import { bare, readDeliveryStatus } from './delivery-status.ts';
import { readFeedbackReport } from './feedback-report.ts';
import { type Fields, fieldOf, readFields } from './fields.ts';
import { type Leaf, readMailParts } from './mail-parts.ts';
import { readPlainBounce } from './plain-bounce.ts';
import { tidy } from './said.ts';

/** The report stands before the copy of the mail it is about (RFC 6522 3): what comes after that much is the copy. */
export const reportBytesMax = 512 * 1024;

const copyCharsMax = 64 * 1024;

/** Null: it is no mail that can be read. */
export function readReport(bytes: Uint8Array): Report | null {
  const mail = readMailParts(bytes.subarray(0, reportBytesMax));
  if (!mail) return null;
  const { header, leaves } = mail;
  const textsOf = (types: readonly string[]) =>
    leaves.filter(({ type }) => types.includes(type)).map((one) => one.text());
  // The header alone: the body of the mail it is about may quote others.
  const copied = textsOf(copyTypes)
    .slice(0, 1)
    .map((text) => readFields(text.slice(0, copyCharsMax)));
  const statuses = textsOf(statusTypes).map(readDeliveryStatus);
  const named = copied.flatMap((fields) => addressesOf(fields, ['x-hmxmroriginalrecipient', 'delivered-to', 'to']));
  const feedback = textsOf(['message/feedback-report']).map((text) => readFeedbackReport(text, named));
  const isWordy = statuses.length + feedback.length === 0;
  const failed = addressesOf(header, ['x-failed-recipients']);
  const subject = fieldOf(header, 'subject');
  const notices: Notice[] = isWordy
    ? readPlainBounce(wordsOf(leaves), subject, failed)
    : [...statuses, ...feedback].flatMap((one) => one.notices);
  const ids = [...statuses.map((one) => one.envelopeId), ...feedback.flatMap((one) => one.envelopeIds)];
  return {
    to: addressesOf(header, ['delivered-to', 'x-original-to', 'envelope-to', 'to']),
    envelopeIds: ids.filter((one) => one !== null),
    returnPaths: [
      ...feedback.flatMap((one) => one.returnPaths),
      ...copied.flatMap((one) => addressesOf(one, ['return-path'])),
    ],
    notices: notices.slice(0, noticesMax),
    subject: tidy(subject).slice(0, 200),
    from: tidy(fieldOf(header, 'from')).slice(0, 320),
  };
}

const statusTypes = ['message/delivery-status', 'message/global-delivery-status'];
const copyTypes = [
  'message/rfc822',
  'text/rfc822-headers',
  'message/global',
  'message/global-headers',
  'message/rfc822-headers',
];

function addressesOf(fields: Fields, names: readonly string[]): string[] {
  const values = names.flatMap((name) => fields.get(name) ?? []).slice(0, 20);
  const texts = values.flatMap((value) => value.slice(0, 4_000).split(','));
  const addresses = texts
    .map((text) => bare(/<([^<>]*)>/.exec(text)?.[1] ?? text))
    .filter((text) => text.includes('@'));
  return [...new Set(addresses)].slice(0, 100);
}

function wordsOf(leaves: readonly Leaf[]): string {
  const of = (type: string) => leaves.filter((one) => one.type === type).slice(0, 5);
  const plain = of('text/plain').map((one) => one.text());
  return plain.length > 0
    ? plain.join('\n')
    : of('text/html')
        .map((one) => wordsOfHtml(one.text()))
        .join('\n');
}

/** Some write html alone: each tag ends a word, and those that break lines end a line. */
function wordsOfHtml(html: string): string {
  return html
    .slice(0, 128 * 1024)
    .replace(/<(?:br|\/p|\/div|\/td|\/tr|\/h\d|\/pre)\b[^<>]{0,200}>/gi, '\n')
    .replace(/<[^<>]{0,1000}>/g, ' ')
    .replace(/&(lt|gt|amp|#64|nbsp);/g, (_, name: string) => ({ lt: '<', gt: '>', amp: '&', '#64': '@' })[name] ?? ' ');
}
