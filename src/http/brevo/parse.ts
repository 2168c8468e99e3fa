/** The body of POST /v3/smtp/email: one message, or several versions of one (docs/brevo.md). */

import type { DraftAttachment } from '../../core/draft.ts';
import type { Tag } from '../../core/email.ts';
import { AppError } from '../../core/error.ts';
import { type Fields, isAbsent, isFields } from '../fields.ts';
import type { Members } from '../misspelt.ts';
import { brevoLimits } from './limits.ts';
import { parseRecipients, parseReplyTo, parseSender, type SenderRef, tooManyRecipients } from './parse-address.ts';
import { parseAttachments } from './parse-attachment.ts';
import {
  type ParsedHeaders,
  paramsBytes,
  parseBody,
  parseHeaders,
  parseParams,
  parseSubject,
  parseTags,
  parseTemplateId,
} from './parse-fields.ts';
import { parseSchedule, type Schedule } from './parse-schedule.ts';
import { inVersion, invalid, missing } from './refusal.ts';

/** What a request may have, and what other APIs call it. */
export const sendMembers: Members = {
  known: [
    'sender',
    'to',
    'cc',
    'bcc',
    'replyTo',
    'subject',
    'htmlContent',
    'textContent',
    'headers',
    'tags',
    'params',
    'templateId',
    'messageVersions',
    'attachment',
    'scheduledAt',
    'batchId',
  ],
  elsewhere: { from: 'sender', html: 'htmlContent', text: 'textContent', attachments: 'attachment' },
};

/** What becomes one email. Whatever it lacks its template has, where there is one. */
export type Version = {
  to: string[];
  cc: string[];
  bcc: string[];
  replyTo: string[];
  subject: string | null;
  html: string | null;
  text: string | null;
  templateId: number | null;
  params: Fields;
  headers: [name: string, value: string][];
};

export type ParsedSend = {
  sender: SenderRef;
  versions: Version[];
  /** Whether they came as messageVersions: the answer then lists ids. */
  isBatch: boolean;
  attachments: DraftAttachment[];
  tags: Tag[];
  schedule: Schedule | null;
  /** Checked and answered, never sent. */
  isSandbox: boolean;
};

/** `body` is what JSON.parse returned, undefined where there was none. Throws the first refusal as an AppError. */
export function parseSend(body: unknown, now: number): ParsedSend {
  if (body !== undefined && !isFields(body)) {
    throw new AppError('invalid_field', 'The request body must be a JSON object.');
  }
  const fields = body ?? {};
  const sender = parseSender(fields.sender);
  const headers = parseHeaders(fields.headers);
  const common = parseContent(fields, headers, null);
  const isBatch = fields.messageVersions !== undefined && fields.messageVersions !== null;
  const versions = isBatch ? parseVersions(fields.messageVersions, common) : [parseSingle(fields.to, common)];
  if (sender === null && versions.some(({ templateId }) => templateId === null)) throw missing('sender');
  return {
    sender,
    versions,
    isBatch,
    tags: [...parseTags(fields.tags), ...tagOf(headers)],
    schedule: parseSchedule(fields.scheduledAt, fields.batchId, now),
    isSandbox: headers.isSandbox,
    // Last, since decoding is what costs.
    attachments: parseAttachments(fields.attachment),
  };
}

/** The older way to name one tag, which Brevo still listens to. */
function tagOf({ mail }: ParsedHeaders): Tag[] {
  const tag = mail.get('X-Mailin-Tag');
  return tag === undefined ? [] : parseTags([tag]);
}

/** Everything but `to`, which is each version's own. */
type Content = Omit<Version, 'to' | 'headers'> & { headers: Map<string, string> };

/** What a version does not say itself, the whole request says for it. */
function parseContent(fields: Fields, headers: ParsedHeaders, whole: Content | null): Content {
  const templateId = parseTemplateId(fields.templateId) ?? whole?.templateId ?? null;
  // Beside a template they are ignored, whatever they hold.
  const html = templateId === null ? (parseBody('htmlContent', fields.htmlContent) ?? whole?.html ?? null) : null;
  const text = templateId === null ? (parseBody('textContent', fields.textContent) ?? whole?.text ?? null) : null;
  return {
    cc: isAbsent(fields.cc) ? (whole?.cc ?? []) : parseRecipients('cc', fields.cc),
    bcc: isAbsent(fields.bcc) ? (whole?.bcc ?? []) : parseRecipients('bcc', fields.bcc),
    replyTo: isAbsent(fields.replyTo) ? (whole?.replyTo ?? []) : parseReplyTo(fields.replyTo),
    subject: parseSubject(fields.subject) ?? whole?.subject ?? null,
    html,
    text,
    templateId,
    params: mergeParams(whole?.params ?? {}, parseParams(fields.params) ?? {}),
    headers: new Map([...(whole?.headers ?? []), ...headers.mail]),
  };
}

/** Without a prototype it is a dictionary: with one each of many new names takes V8 20 µs, two seconds for all a request may have. */
function mergeParams(whole: Fields, own: Fields): Fields {
  return Object.assign(Object.create(null), whole, own);
}

function parseSingle(to: unknown, content: Content): Version {
  if (isAbsent(to) || isEmpty(to)) throw missing('to');
  const version = complete(parseRecipients('to', to), content);
  createTotals().add(version);
  return version;
}

function parseVersions(items: unknown, whole: Content): Version[] {
  if (!Array.isArray(items) || items.length < 1 || items.length > brevoLimits.versionsMax) {
    throw invalid('messageVersions', `it must be an array of 1 to ${brevoLimits.versionsMax} versions`);
  }
  const totals = createTotals();
  return items.map((item: unknown, index) => {
    const version = inVersion(index, () => parseVersion(item, whole));
    totals.add(version);
    return version;
  });
}

function parseVersion(item: unknown, whole: Content): Version {
  if (!isFields(item)) throw invalid('messageVersions', 'each version must be an object');
  // Byte for byte what clients know.
  if (!Array.isArray(item.to) || isEmpty(item.to)) throw invalid('to', '', ' in messageVersions');
  const headers = parseHeaders(item.headers);
  const [misplaced] = headers.ofRequest;
  if (misplaced !== undefined) {
    throw invalid(
      'headers',
      `${misplaced} is for all versions together: put it into the headers of the request`,
      ' in messageVersions',
    );
  }
  const version = complete(parseRecipients('to', item.to), parseContent(item, headers, whole));
  if (recipientCount(version) > brevoLimits.versionRecipientsMax) {
    throw invalid('messageVersions', `each version must have at most ${brevoLimits.versionRecipientsMax} recipients`);
  }
  return version;
}

function complete(to: string[], content: Content): Version {
  if (content.templateId === null) {
    if (content.subject === null) throw missing('subject');
    if (content.html === null && content.text === null) throw missing('htmlContent or textContent');
  }
  if (content.headers.size > brevoLimits.headersMax)
    throw invalid('headers', `there must be at most ${brevoLimits.headersMax}`);
  return { ...content, to, headers: [...content.headers] };
}

function isEmpty(value: unknown): boolean {
  return Array.isArray(value) && value.length === 0;
}

function recipientCount({ to, cc, bcc }: Version): number {
  return to.length + cc.length + bcc.length;
}

/** Counted as versions are read: a thousand of them could share what takes long to count. */
function createTotals(): { add(version: Version): void } {
  let recipients = 0;
  let params = 0;
  return {
    add(version) {
      recipients += recipientCount(version);
      params += paramsBytes(version.params);
      if (recipients > brevoLimits.requestRecipientsMax) throw tooManyRecipients('to');
      if (params > brevoLimits.paramsBytesTotalMax) {
        throw invalid('params', `all versions together must have at most ${brevoLimits.paramsBytesTotalMax / 1024} KB`);
      }
    },
  };
}
