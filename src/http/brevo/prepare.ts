/** From a parsed request to the messages it stands for: sender, files, and each version filled in. */

import { envelopeAddress, writeMailbox } from '../../core/address.ts';
import { draftBytes } from '../../core/draft.ts';
import type { Message } from '../../core/email.ts';
import { AppError } from '../../core/error.ts';
import { createBudget, parseTemplate, renderTemplate, type Scope, type Template } from '../../core/template.ts';
import type { Egress } from '../../egress/egress.ts';
import type { Database } from '../../store/database.ts';
import { findSender } from '../../store/senders.ts';
import { fetchAttachments, type RemoteLimits } from '../attachments.ts';
import { LIMITS } from './limits.ts';
import type { ParsedSend, Version } from './parse.ts';
import type { SenderRef } from './parse-address.ts';
import { completeAttachment } from './parse-attachment.ts';
import { checkSubject } from './parse-fields.ts';
import { inVersion, invalid } from './refusal.ts';

export type PrepareParts = { database: Database; egress: Egress; remote: RemoteLimits };

/** One message for each version, in order. @throws AppError, and then nothing is accepted. */
export async function prepareMessages(
  parts: PrepareParts,
  account: string,
  parsed: ParsedSend,
  batchId: string | null,
): Promise<Message[]> {
  const from = await resolveSender(parts, account, parsed.sender);
  const attachments = await fetchAttachments(parts, parsed.attachments, completeAttachment);
  const shared = {
    from,
    tags: parsed.tags,
    topicId: null,
    attachments,
    scheduledText: parsed.schedule?.text ?? null,
    scheduledAt: parsed.schedule?.at ?? null,
    batchId: batchId ?? undefined,
  };
  const write = createWriter(parsed.versions.length);
  const messages = parsed.versions.map((version, index) =>
    inVersion(parsed.isBatch ? index : null, () => {
      if (version.templateId !== null) throw invalid('templateId', `there is no template ${version.templateId}`);
      return { ...shared, ...write(version) };
    }),
  );
  refuseTooLarge(messages);
  return messages;
}

async function resolveSender(parts: PrepareParts, account: string, sender: SenderRef): Promise<string> {
  if (sender === null) throw new AppError('missing_field', 'sender is missing');
  if ('from' in sender) return sender.from;
  const known = await findSender(parts.database, account, sender.id);
  const from = known && writeMailbox({ name: known.name, address: known.email });
  if (from) return from;
  throw new AppError('invalid_field', `sender id is not valid: there is no sender ${sender.id}`);
}

type Written = Pick<Message, 'to' | 'cc' | 'bcc' | 'replyTo' | 'subject' | 'html' | 'text' | 'headers' | 'templateId'>;

/** Fills versions in, each source read once however many versions share it. */
function createWriter(versions: number): (version: Version) => Written {
  const budget = createBudget(versions);
  const templates = new Map<string, Template>();

  function fill(name: string, source: string, scope: Scope, output: 'html' | 'text'): string {
    const known = templates.get(source);
    const template = known?.name === name ? known : parseTemplate(source, name);
    templates.set(source, template);
    return renderTemplate(template, scope, output, budget);
  }

  return (version) => {
    const { to, cc, bcc, replyTo, headers, subject, html, text, params } = version;
    const scope = { params, contact: { EMAIL: envelopeAddress(to[0] ?? '') } };
    return {
      to,
      cc,
      bcc,
      replyTo,
      headers,
      // Looked at once more: params can hold line breaks.
      subject: checkSubject(fill('subject', subject ?? '', scope, 'text')),
      html: html === null ? null : fill('htmlContent', html, scope, 'html'),
      text: text === null ? null : fill('textContent', text, scope, 'text'),
    };
  };
}

function refuseTooLarge(messages: Message[]): void {
  let total = 0;
  for (const message of messages) {
    const bytes = draftBytes(message);
    if (bytes > LIMITS.emailBytesMax) throw tooLarge('an email', LIMITS.emailBytesMax);
    total += bytes;
  }
  if (total > LIMITS.requestBytesMax) throw tooLarge('all versions together', LIMITS.requestBytesMax);
}

function tooLarge(what: string, bytesMax: number): AppError {
  return new AppError(
    'invalid_field',
    `The request is too large: ${what}, with the attachments, must have at most ${bytesMax / (1024 * 1024)} MB after Base64 encoding.`,
  );
}
