/** From a parsed request to the messages it stands for: sender, template, files, and each version filled in. */

import { writeMailbox } from '../../core/address.ts';
import { draftBytes } from '../../core/draft.ts';
import type { Attachment, Message } from '../../core/email.ts';
import { AppError } from '../../core/error.ts';
import type { Egress } from '../../egress/egress.ts';
import type { Rendering } from '../../render/renderer.ts';
import type { DatabaseReader } from '../../store/database.ts';
import { findSender } from '../../store/senders.ts';
import { findTemplate, type StoredTemplate } from '../../store/templates.ts';
import { fetchAttachments, type RemoteLimits } from '../attachments.ts';
import { fillAll, scopeOf, type Texts, type Unfilled } from './fill.ts';
import { brevoLimits } from './limits.ts';
import type { ParsedSend, Version } from './parse.ts';
import type { SenderRef } from './parse-address.ts';
import { completeAttachment, parseAttachments } from './parse-attachment.ts';
import { checkSubject } from './parse-fields.ts';
import { inVersion, invalid, missing } from './refusal.ts';

export type PrepareParts = { database: DatabaseReader; egress: Egress; remote: RemoteLimits };

export type PrepareOptions = {
  /** Null where nothing is scheduled. */
  batchId: string | null;
  rendering: Rendering;
  /** Whether templates may be used that are not active yet: tests of them do. */
  isTest?: boolean;
};

/** A stored template as a send needs it. */
type Source = { template: StoredTemplate; attachments: Attachment[] };

/** One message for each version, in order. @throws AppError, and then nothing is accepted. */
export async function prepareMessages(
  parts: PrepareParts,
  account: string,
  parsed: ParsedSend,
  { batchId, rendering, isTest = false }: PrepareOptions,
): Promise<Message[]> {
  const from = parsed.sender && (await resolveSender(parts, account, parsed.sender));
  const sources = await loadSources(parts, account, parsed, isTest);
  const attachments = await fetchAttachments(parts, parsed.attachments, completeAttachment);
  const sourceOf = ({ templateId }: Version) => (templateId === null ? null : (sources.get(templateId) ?? null));
  const filled = await fillAll(
    rendering,
    parsed.versions.map((version) => unfilled(version, sourceOf(version)?.template ?? null)),
  );
  const write = (version: Version, texts: Texts): Message => {
    const source = sourceOf(version);
    return {
      ...complete(version, source?.template ?? null, texts),
      from: from ?? senderOf(source),
      tags: parsed.tags.length === 0 && source?.template.tag ? [{ name: source.template.tag, value: '' }] : parsed.tags,
      topicId: null,
      attachments: attachments.length === 0 && source ? source.attachments : attachments,
      scheduledText: parsed.schedule?.text ?? null,
      scheduledAt: parsed.schedule?.at ?? null,
      templateId: version.templateId ?? undefined,
      batchId: batchId ?? undefined,
    };
  };
  const messages = parsed.versions.map((version, index) =>
    inVersion(parsed.isBatch ? index : null, () => write(version, filled[index]?.() ?? {})),
  );
  refuseTooLarge(messages);
  return messages;
}

/** The mailbox it stands for. */
export async function resolveSender(
  { database }: { database: DatabaseReader },
  account: string,
  sender: NonNullable<SenderRef>,
): Promise<string> {
  if ('from' in sender) return sender.from;
  const known = await findSender(database, account, sender.id);
  const from = known && writeMailbox({ name: known.name, address: known.email });
  if (from) return from;
  throw new AppError('invalid_field', `sender id is not valid: there is no sender ${sender.id}`);
}

function senderOf(source: Source | null): string {
  const sender = source?.template.sender;
  const from = sender ? writeMailbox({ name: sender.name, address: sender.email }) : null;
  if (from === null) throw missing('sender');
  return from;
}

/** Each template once, with its file where the request has none. */
async function loadSources(
  parts: PrepareParts,
  account: string,
  parsed: ParsedSend,
  isTest: boolean,
): Promise<Map<number, Source>> {
  const sources = new Map<number, Source>();
  let bytes = 0;
  for (const [index, { templateId }] of parsed.versions.entries()) {
    if (templateId === null || sources.has(templateId)) continue;
    const found = await findTemplate(parts.database, account, templateId);
    const template = inVersion(parsed.isBatch ? index : null, () => usable(found, templateId, isTest));
    const url = parsed.attachments.length === 0 ? template.attachmentUrl : null;
    const drafted = url === null ? [] : parseAttachments([{ url }]);
    const attachments = await fetchAttachments(parts, drafted, completeAttachment);
    // Counted as they come: a thousand versions may have a template each, and each template a file.
    bytes += attachments.reduce((sum, { content }) => sum + content.length, template.html.length);
    if (bytes > brevoLimits.requestBytesMax) throw tooLarge('all versions together', brevoLimits.requestBytesMax);
    sources.set(templateId, { template, attachments });
  }
  return sources;
}

function usable(found: StoredTemplate | null, id: number, isTest: boolean): StoredTemplate {
  if (!found) throw invalid('templateId', `there is no template ${id}`);
  if (!found.isActive && !isTest)
    throw invalid('templateId', `template ${id} is not active: set isActive to true first`);
  return found;
}

/** What the version says counts; what it leaves out is the template's. */
function unfilled({ to, subject, html, text, params }: Version, template: StoredTemplate | null): Unfilled {
  const written = template?.html ?? html;
  const texts = {
    subject: subject ?? template?.subject ?? '',
    ...(written === null ? {} : { htmlContent: written }),
    ...(text === null ? {} : { textContent: text }),
  };
  return { texts, scope: scopeOf(params, to[0] ?? '') };
}

type Completed = Pick<Message, 'to' | 'cc' | 'bcc' | 'replyTo' | 'subject' | 'html' | 'text' | 'headers'>;

function complete(version: Version, template: StoredTemplate | null, texts: Texts): Completed {
  const { to, cc, bcc, headers, replyTo } = version;
  return {
    to,
    cc,
    bcc,
    replyTo: template?.replyTo && replyTo.length === 0 ? [template.replyTo] : replyTo,
    headers,
    // Looked at once more: params can hold line breaks.
    subject: checkSubject(texts.subject ?? ''),
    html: texts.htmlContent ?? null,
    text: texts.textContent ?? null,
  };
}

function refuseTooLarge(messages: Message[]): void {
  let total = 0;
  for (const message of messages) {
    const bytes = draftBytes(message);
    if (bytes > brevoLimits.emailBytesMax) throw tooLarge('an email', brevoLimits.emailBytesMax);
    total += bytes;
  }
  if (total > brevoLimits.requestBytesMax) throw tooLarge('all versions together', brevoLimits.requestBytesMax);
}

function tooLarge(what: string, bytesMax: number): AppError {
  return new AppError(
    'invalid_field',
    `The request is too large: ${what}, with the attachments, must have at most ${bytesMax / (1024 * 1024)} MB after Base64 encoding.`,
  );
}
