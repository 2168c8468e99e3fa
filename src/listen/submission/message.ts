/** A mail as it was written, read for showing and for what is decided by it: its author, its recipients, its tags and its time. */

import { parseMailbox, writeMailbox } from '../../core/address.ts';
import type { Message, Tag } from '../../core/email.ts';
import { AppError } from '../../core/error.ts';
import type { MailRead } from '../../render/read-mail.ts';
import { mailboxesOf, textOf } from '../field-text.ts';
import { type HeaderField, type ReadHeader, valuesOf } from './header.ts';
import type { SubmissionLimits } from './limits.ts';

/** What stands in the header, as text. */
export type Head = Pick<Message, 'from' | 'to' | 'cc' | 'bcc' | 'replyTo' | 'subject' | 'headers' | 'tags'>;

/** `to`: the recipients of the envelope, which alone get it. @throws AppError */
export function readHead(
  header: ReadHeader,
  to: readonly string[],
  { hopsMax }: Pick<SubmissionLimits, 'hopsMax'>,
): Head {
  if (valuesOf(header, 'received').length > hopsMax) {
    throw new AppError('unreadable', 'It has been handed on too often: it goes round in a loop.');
  }
  return {
    from: authorOf(header),
    ...placed(header, to),
    replyTo: mailboxesIn(header, 'reply-to'),
    subject: subjectOf(header),
    headers: shownFields(header),
    tags: tagsOf(header),
  };
}

export function subjectOf(header: ReadHeader): string {
  return textOf(valuesOf(header, 'subject')[0] ?? '');
}

export function toMessage(
  head: Head,
  read: MailRead,
): Omit<Message, 'raw' | 'returnPath' | 'scheduledAt' | 'scheduledText'> {
  const nothing = new Uint8Array();
  const attachments = read.files.map((file) => ({ ...file, content: nothing, path: null }));
  return { ...head, html: read.html, text: read.text, topicId: null, attachments };
}

/** One author: whom keys and domains are checked for must be whom readers are shown. */
function authorOf(header: ReadHeader): string {
  const fields = valuesOf(header, 'from');
  const [author, ...others] = fields.flatMap((value) => mailboxesOf(value));
  if (fields.length === 1 && author !== undefined && others.length === 0) return author;
  if (fields.length === 0) throw new AppError('missing_field', 'It has no From field (RFC 5322 3.6.2).');
  throw new AppError(
    'invalid_field',
    'Its From must be one field with one address in it, such as `Acme <hello@acme.example>`.',
  );
}

/** Each recipient of the envelope where the header names it; in bcc where it names it nowhere. */
function placed(header: ReadHeader, recipients: readonly string[]): Pick<Message, 'to' | 'cc' | 'bcc'> {
  const left = new Map(recipients.map((address) => [address.toLowerCase(), address]));
  const named = (name: string) =>
    mailboxesIn(header, name).flatMap((text) => {
      const mailbox = parseMailbox(text);
      const slot = mailbox?.address.toLowerCase() ?? '';
      const address = left.get(slot);
      if (!mailbox || address === undefined) return [];
      left.delete(slot);
      return writeMailbox({ name: mailbox.name, address }) ?? address;
    });
  const [to, cc] = [named('to'), named('cc')];
  return { to, cc, bcc: [...left.values()] };
}

function mailboxesIn(header: ReadHeader, name: string): string[] {
  return valuesOf(header, name).flatMap(mailboxesOf);
}

const shownElsewhere =
  /^(?:from|to|cc|bcc|reply-to|subject|message-id|date|mime-version|content-.*|received|resend-idempotency-key)$/;

function shownFields({ fields }: ReadHeader): [name: string, value: string][] {
  const shown = fields.filter(({ name }) => !shownElsewhere.test(name));
  return shown.map(({ writtenName, value }: HeaderField) => [writtenName, textOf(value)]);
}

/** `Resend-Tags: name=value, other` and `X-Mailin-Tag: name` (docs/smtp.md). */
function tagsOf(header: ReadHeader): Tag[] {
  const written = valuesOf(header, 'resend-tags').flatMap((value) => value.split(','));
  const pairs = written.map((text) => text.trim()).filter((text) => text !== '');
  const tags = pairs.map((text) => {
    const [, name = '', value = ''] = /^([\w-]{1,256})(?:\s*=\s*([\w-]{0,256}))?$/.exec(text) ?? [];
    if (name === '')
      throw new AppError(
        'invalid_field',
        'Resend-Tags takes `name=value, …` of ASCII letters, numbers, underscores and dashes.',
      );
    return { name, value };
  });
  const names = valuesOf(header, 'x-mailin-tag').map((value) => ({ name: textOf(value).slice(0, 256), value: '' }));
  return [...tags, ...names.filter(({ name }) => name !== '')].slice(0, tagsMax);
}

/** As over HTTP (docs/resend.md). */
const tagsMax = 75;
